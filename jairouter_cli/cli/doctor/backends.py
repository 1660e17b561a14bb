"""Checks every backend: whether it can be reached, accepts the key, has the models, and agrees about the time."""

import difflib
import socket
import ssl
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.kinds import GATEWAY, STRICT, models_in
from jairouter_cli.cli.doctor.setup import Setup, address, readable
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.discovery.kinds import BackendKind, FoundBackend
from jairouter_cli.gateway.upstream.asking import BackendOutcome, BackendReply, Question
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure
from jairouter_cli.routing.call import Target

CHECK: Final = "backend"

MOST_OF_ONE: Final = 16
"""Questions that one backend is asked, whatever the number of its instances and keys."""

_SHOWN: Final = 5  # names in one finding
_SKEW_S: Final = 10.0
_LATEST: Final = ":latest"  # what Ollama adds to a name without a tag
_TIMEOUTS: Final = frozenset({FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE_TIMEOUT, FailureKind.TOTAL_TIMEOUT})


class AskedBackend(NamedTuple):
    """A question, the instances it was asked for, and its outcome; `elsewhere` is a base URL that works better.

    `backend` is what was recognized, where that was asked for.
    """

    question: Question
    targets: Sequence[Target]
    outcome: BackendOutcome
    elsewhere: str = ""
    backend: FoundBackend | None = None


def questions(targets: Sequence[Target]) -> tuple[dict[Question, list[Target]], Counter[str]]:
    """Return what to ask, and for which instances; and for how many of a backend nothing is asked any more.

    The disabled ones get no requests, and are not asked. Instances with the same key share a question.
    """
    found: dict[Question, list[Target]] = defaultdict(list)
    of_one, left_out = Counter[str](), Counter[str]()
    for target in targets:
        if not target.enabled:
            continue
        question = Question(target.origin, target.proxy, target.prefix, target.headers)
        if question not in found:
            if of_one[target.origin] == MOST_OF_ONE:
                left_out[target.origin] += 1
                continue
            of_one[target.origin] += 1
        found[question].append(target)
    return found, left_out


def not_asked(setup: Setup, left_out: Mapping[str, int]) -> Iterator[Finding]:
    """Yield the backends that would have had to be asked too often."""
    for origin, number in left_out.items():
        count = ngettext("{number} instance", "{number} instances", number).format(number=number)
        yield warning(
            CHECK,
            _("{url}: {instances} were not checked").format(url=address(origin), instances=count),
            why=_("at most {number} different keys of one backend are tried").format(number=MOST_OF_ONE),
            fix=setup.command("health"),
        )


def is_lost(outcome: BackendOutcome) -> bool:
    """Whether a response looks as if the address were wrong."""
    return isinstance(outcome, BackendReply) and (outcome.status in {404, 405} or outcome.is_html)


def backends(setup: Setup, asked: Sequence[AskedBackend]) -> Iterator[Finding]:
    """Yield what is to be said of each backend, of the clocks, and of instances that are listed twice."""
    for one in asked:
        if isinstance(one.outcome, BackendReply):
            yield from _of_reply(setup, one, one.outcome)
        else:
            yield _unreachable(setup, one, one.outcome)
    yield from _clocks(asked)
    yield from _twice(setup, [target for one in asked for target in one.targets])


def _update(setup: Setup, one: AskedBackend, *options: str) -> str:
    """Return the command that changes the first instance that a question was asked for."""
    service, name, _ordinal = one.targets[0].key
    return setup.command("instances", "update", service.value, address(name), *options)


def _whom(one: AskedBackend) -> str:
    """Return how many instances a finding is about."""
    number = len(one.targets)
    return ngettext("{number} instance", "{number} instances", number).format(number=number)


# --- backends that do not respond ---


def _unreachable(setup: Setup, one: AskedBackend, failure: UpstreamFailure) -> Finding:
    reason, fix = _explained(setup, one, failure)
    text = _("{url}: {reason}").format(url=address(one.question.origin), reason=readable(reason, 200))
    why = _("requests for {instances} go to other instances, or fail").format(instances=_whom(one))
    return failed(CHECK, text, why=why, fix=fix)


def _explained(setup: Setup, one: AskedBackend, failure: UpstreamFailure) -> tuple[str, str]:
    """Return why a backend cannot be reached, in words, and what to do."""
    cause, detail, origin = failure.__cause__, failure.detail, one.question.origin
    configured = one.targets[0].id.rpartition("@")[2]
    host, other_address = urlsplit(origin).hostname or origin, _update(setup, one, "--base-url", "URL")
    if "begin with http" in detail:  # the wrong one of the two schemes
        scheme = "http" if "with http://" in detail else "https"
        reason, fix = detail, _update(setup, one, "--base-url", address(f"{scheme}:{configured.partition(':')[2]}"))
    elif "proxy" in detail or "proxies" in detail:
        no_proxy = setup.command("config", "set", "webclient.proxy", "none")
        reason, fix = detail, _("export NO_PROXY={host}, or {command}").format(host=host, command=no_proxy)
    elif isinstance(cause, ssl.SSLError):
        reason = _("TLS failed: {reason}").format(reason=detail)
        fix = setup.command("config", "set", "webclient.ssl.trust-store", "CA.pem")
    elif failure.kind in _TIMEOUTS or isinstance(cause, TimeoutError):
        reason = _("no response in time ({reason})").format(reason=detail)
        fix = _("check the address, a firewall in between and the load of the backend: curl -m 5 {url}")
        fix = fix.format(url=address(origin))
    elif isinstance(cause, ConnectionRefusedError):
        reason = _("connection refused: nothing listens on this port")
        fix = _("start the model server there, or {command}").format(command=other_address)
    elif isinstance(cause, socket.gaierror):
        reason = _("the name {host} cannot be resolved: {reason}").format(host=host, reason=detail)
        fix = other_address
    else:
        reason, fix = detail, other_address
    return reason, fix


# --- backends that respond ---


def _of_reply(setup: Setup, one: AskedBackend, reply: BackendReply) -> Iterator[Finding]:
    url = address(one.question.origin)
    if reply.status in {401, 403}:
        yield _refused(setup, one, reply)
    elif 300 <= reply.status < 400:  # noqa: PLR2004 - a redirection
        to = urlsplit(reply.headers.get("location", ""))
        target = f"{to.scheme}://{to.netloc.rpartition('@')[2]}" if to.netloc else "URL"
        text = _("{url} redirects to {target} (HTTP {status})").format(
            url=url, target=address(target), status=reply.status
        )
        why = _("the gateway does not follow redirects: clients get them instead of a response")
        yield failed(CHECK, text, why=why, fix=_update(setup, one, "--base-url", address(target)))
    elif is_lost(reply):
        yield _lost(setup, one, reply)
    elif reply.status >= 400:  # noqa: PLR2004 - an error
        judge = failed if reply.status >= 500 else warning  # noqa: PLR2004
        text = _("{url} responds with HTTP {status} to GET {path}").format(
            url=url, status=reply.status, path=address(f"{one.question.prefix}/models")
        )
        yield judge(CHECK, text, why=_("it may not be ready"), fix=f"curl -i {address(one.question.url)}")
    else:
        yield from _of_models(setup, one, reply)


def _refused(setup: Setup, one: AskedBackend, reply: BackendReply) -> Finding:
    url, target = address(one.question.origin), one.targets[0]
    key = _update(setup, one, "--api-key", "${NAME}")
    if target.has_own_key:
        text = _("{url} rejects the key of {instances} (HTTP {status})").format(
            url=url, instances=_whom(one), status=reply.status
        )
        return failed("key", text, why=_("requests get the same error"), fix=key)
    text = _("{url} asks for a key, and none is set for {instances} (HTTP {status})").format(
        url=url, instances=_whom(one), status=reply.status
    )
    if target.forwards_credentials:
        why = _("only requests of clients that send a key of this backend succeed")
        return warning("key", text, why=why, fix=key)
    return failed("key", text, why=_("requests get the same error"), fix=key)


def _lost(setup: Setup, one: AskedBackend, reply: BackendReply) -> Finding:
    """Return that a base URL leads to something else than an API."""
    asked = address(one.question.url)
    if reply.is_html:
        text = _("GET {url} returns a web page, not a list of models (HTTP {status})")
    else:
        text = _("GET {url} returns HTTP {status}: there is no list of models")
    found = text.format(url=asked, status=reply.status)
    if one.elsewhere:
        found += "; " + _("there is one at {url}").format(url=address(f"{one.elsewhere}/v1/models"))
    fix = _update(setup, one, "--base-url", address(one.elsewhere) if one.elsewhere else "URL")
    if one.elsewhere or reply.is_html:
        return failed("address", found, why=_("requests go to the wrong place, too"), fix=fix)
    why = _("the address may be wrong; the model names cannot be checked")
    return warning("address", found, why=why, fix=fix)


def _of_models(setup: Setup, one: AskedBackend, reply: BackendReply) -> Iterator[Finding]:
    url, listed = address(one.question.origin), models_in(reply)
    if listed is None:
        text = _("GET {url} does not return a list of models").format(url=address(one.question.url))
        why = _("the address may be wrong; the model names cannot be checked")
        yield warning("address", text, why=why, fix=f"curl -i {address(one.question.url)}")
        return
    models, kind = listed
    if one.backend and one.backend.kind is not BackendKind.OPENAI:
        kind = one.backend.kind.value
    if kind == GATEWAY and _is_this_gateway(setup, one.question.origin):
        text = _("{url} is the address of this gateway itself").format(url=url)
        why = _("each request would go in circles until it fails")
        yield failed("address", text, why=why, fix=_update(setup, one, "--base-url", "URL"))
        return
    number = ngettext("{number} model", "{number} models", len(models)).format(number=len(models))
    version = f" {one.backend.version}" if one.backend and one.backend.version else ""
    what = [f"{readable(kind + version)}" if kind else "", number, _contexts(one)]
    yield ok(CHECK, _("{url} responds ({what})").format(url=url, what=", ".join(filter(None, what))))
    yield from _missing_models(setup, one, models, kind)


def _contexts(one: AskedBackend) -> str:
    """Return how many tokens the models of the instances take, where the backend tells."""
    wanted = {target.upstream_model or target.id.rpartition("@")[0] for target in one.targets}
    listed = one.backend.models if one.backend else ()
    sizes = sorted({model.context for model in listed if model.context and model.name in wanted})
    if not sizes:
        return ""
    shown = str(sizes[0]) if len(sizes) == 1 else _("{least} to {most}").format(least=sizes[0], most=sizes[-1])
    return _("context of {tokens} tokens").format(tokens=shown)


def _missing_models(setup: Setup, one: AskedBackend, models: Mapping[str, str], kind: str) -> Iterator[Finding]:
    by_name: dict[str, list[Target]] = defaultdict(list)
    for target in one.targets:
        by_name[target.upstream_model or target.id.rpartition("@")[0]].append(target)
    missing = [name for name in by_name if name not in models and name + _LATEST not in models]
    if not missing or kind == "llama.cpp":  # which serves its one model under any name
        return
    shown = []
    for name in missing[:_SHOWN]:
        near = difflib.get_close_matches(name, models, 1, 0.4)
        shown.append(
            _("{name} (nearest: {near})").format(name=readable(name), near=readable(near[0])) if near else name
        )
    if len(missing) > _SHOWN:
        shown.append(_("and {number} more").format(number=len(missing) - _SHOWN))
    first = by_name[missing[0]][0]
    near = difflib.get_close_matches(missing[0], models, 1, 0.4) or (list(models) if len(models) == 1 else [])
    service, name, _ordinal = first.key
    wanted = readable(near[0]) if near else "MODEL"
    key = "upstream-model" if first.upstream_model else "--name"
    fix = setup.command("instances", "update", service.value, address(name), "--name", wanted)
    if key == "upstream-model":
        fix = _("set upstream-model to {name}: {command}").format(name=wanted, command=setup.command("config", "edit"))
    judge = failed if kind in STRICT else warning
    text = _("{url} does not list {models}").format(url=address(one.question.origin), models=", ".join(shown))
    yield judge("model", text, why=_("requests for a model that it does not have get HTTP 404"), fix=fix)


def _is_this_gateway(setup: Setup, origin: str) -> bool:
    own, other = urlsplit(base_url(setup.config.server)), urlsplit(origin)
    local = {own.hostname, "localhost", "127.0.0.1", "::1"}
    return own.port == other.port and other.hostname in local


# --- what several backends tell together ---


def _clocks(asked: Sequence[AskedBackend]) -> Iterator[Finding]:
    skews: dict[str, float] = {}
    for one in asked:
        if isinstance(one.outcome, BackendReply) and (skew := _skew_s(one.outcome)) is not None:
            skews.setdefault(one.question.origin, skew)
    off = {origin: skew for origin, skew in skews.items() if abs(skew) > _SKEW_S}
    if not off:
        if skews:
            yield ok("clock", _("this machine and its backends agree about the time"))
        return
    origin, skew = max(off.items(), key=lambda item: abs(item[1]))
    if len(off) == len(skews) > 1:
        text = _("this machine's clock differs from those of all backends, by {seconds:.0f} s from {url}")
    else:
        text = _("the clock of {url} differs from this machine's by {seconds:.0f} s")
    why = _("certificates, tokens with an end, usage by the hour and logs depend on the time")
    found = text.format(url=address(origin), seconds=abs(skew))
    yield warning("clock", found, why=why, fix="sudo timedatectl set-ntp true")


def _skew_s(reply: BackendReply) -> float | None:
    """Return by how much a backend's clock is ahead; None if it does not tell. A response takes time, too."""
    try:
        skew = parsedate_to_datetime(reply.headers["date"]).timestamp() - reply.at
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    slack = reply.took_s + 1.0  # of headers in whole seconds
    return 0.0 if abs(skew) <= slack else skew


def _twice(setup: Setup, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield instances that differ in how their address is written only: they share the load of one server."""
    same: dict[tuple[str, ...], dict[str, Target]] = defaultdict(dict)
    for target in targets:
        service, name, _ordinal = target.key
        model = name.rpartition("@")[0]
        scheme = target.origin.partition(":")[0]
        place = (service.value, model, target.upstream_model or "", scheme, target.machine, target.path)
        same[place].setdefault(name, target)
    for (kind, *_rest), found in same.items():
        if len(found) > 1:
            first, *others = found
            text = _("{first} and {other} are the same server").format(first=address(first), other=address(others[0]))
            why = _("it gets twice the share of requests, and failover tries it twice")
            fix = setup.command("instances", "remove", kind, address(others[0]))
            yield warning("duplicates", text, why=why, fix=fix)
