"""Checks the port, and the gateway that runs on it: which configuration it uses, and whether it waits for a restart."""

import asyncio
import errno
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jairouter_cli.cli import client, models
from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.kinds import server_of
from jairouter_cli.cli.doctor.listeners import program_on
from jairouter_cli.cli.doctor.setup import Setup, address, readable
from jairouter_cli.cli.language import _
from jairouter_cli.cli.listening import place
from jairouter_cli.config.at_start import waiting_for_start
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config, ConnectionPool
from jairouter_cli.config.parse import parse
from jairouter_cli.config.store import Loaded, Store
from jairouter_cli.errors import Answered, JAIRouterError, NotAGateway, ServeError, Unreachable
from jairouter_cli.gateway.upstream.asking import BackendReply, Question, ask
from jairouter_cli.gateway.upstream.http1 import Http1Upstream

_TRIED: Final = 50  # ports, for one that is free
_LAST_PORT: Final = 65535
_FOLLOWS_S: Final = 1.0  # within which a gateway uses a file that has changed
_GATEWAY: Final = "gateway"


def port(setup: Setup) -> Iterator[Finding]:
    """Yield whether the gateway can listen, or what it says if it runs already."""
    server = setup.config.server
    if setup.url is not None:
        yield from gateway(setup, setup.url.rstrip("/").removesuffix("/v1"))
        return
    try:
        place(server.host, server.port)
    except ServeError as error:
        cause = error.__context__
        number = cause.errno if isinstance(cause, OSError) else None
        if number == errno.EADDRINUSE:
            yield from _taken(setup)
        elif number == errno.EACCES:
            yield _privileged(setup, error)
        else:
            fix = setup.command("config", "set", "server.host", "127.0.0.1")
            yield failed("port", str(error), why=_("the gateway does not start"), fix=fix)
        return
    text = _("port {port} on {host} is free; no gateway runs there").format(port=server.port, host=server.host)
    yield ok("port", text)


def _privileged(setup: Setup, error: ServeError) -> Finding:
    return failed(
        "port",
        str(error),
        why=_("ports below 1024 need root, or CAP_NET_BIND_SERVICE; the gateway does not start"),
        fix=setup.command("config", "set", "server.port", _free_port(setup, 8080)),
    )


def _taken(setup: Setup) -> Iterator[Finding]:
    """Yield who has the port."""
    base, server = base_url(setup.config.server), setup.config.server
    found = list(gateway(setup, base))
    if found and found[0].check == _GATEWAY:
        yield ok("port", _("port {port} is used by the running gateway").format(port=server.port))
        yield from found
        return
    yield failed(
        "port",
        _("port {port} on {host} is in use by another program: {who}").format(
            port=server.port, host=server.host, who=_who(setup, base)
        ),
        why=_("the gateway does not start; clients reach the other program"),
        fix=setup.command("config", "set", "server.port", _free_port(setup, server.port + 1)),
    )


def _who(setup: Setup, base: str) -> str:
    """Return what can be said of the program that has the port."""
    reply = asyncio.run(_first_page(base, setup.timeout_s))
    parts = [program_on(setup.config.server.port)]
    if reply is None:
        parts.append(_("does not speak HTTP"))
    else:
        said = server_of(reply)
        parts.append(_("responds over HTTP as {name}").format(name=said) if said else _("responds over HTTP"))
    return ", ".join(filter(None, parts))


async def _first_page(base: str, timeout_s: float) -> BackendReply | None:
    upstream = Http1Upstream(ConnectionPool())
    try:
        found = await ask(upstream, Question(base, "", "", ()), "/", timeout_s)
    finally:
        await upstream.aclose()
    return found if isinstance(found, BackendReply) else None


def _free_port(setup: Setup, first: int) -> int:
    for number in range(first, min(first + _TRIED, _LAST_PORT)):
        with suppress(ServeError):
            return place(setup.config.server.host, number)[1]
    return first


def gateway(setup: Setup, base: str) -> Iterator[Finding]:
    """Yield what a running gateway says; the first finding is of another check if there is none."""
    try:
        node = client.get(base, "/actuator/health", setup.timeout_s)
        is_ours = "modelRouter" in _part(node, "components") or _is_ours(base, setup.timeout_s)
    except Answered:
        node, is_ours = {}, _is_ours(base, setup.timeout_s)
    except NotAGateway as error:
        node, is_ours = {}, False
        reason = str(error)
    except Unreachable as error:
        yield failed("port", str(error), why=_("clients cannot reach the gateway there"), fix=setup.command("serve"))
        return
    else:
        reason = ""
    if not is_ours:
        text = reason or _("{url} responds, but is not a JAiRouter gateway").format(url=address(base))
        yield failed("port", text, why=_("clients reach another program there"), fix=setup.command("health"))
        return
    status = readable(str(node.get("status", "UNKNOWN")), 20)
    yield ok(_GATEWAY, _("a gateway runs at {url}, its health is {status}").format(url=address(base), status=status))
    told = _part(_part(_part(node, "components"), "config"), "details")
    if setup.loaded is not None and told:
        yield from _configuration(setup, setup.loaded, base, told)


def _is_ours(base: str, timeout_s: float) -> bool:
    try:
        found = client.get(base, "/v1/models", timeout_s, headers=models.bearer(models.api_key())).get("data")
    except JAIRouterError:
        return False
    listed = found if isinstance(found, list) else []
    return any(isinstance(one, dict) and one.get("owned_by") == "jairouter" for one in listed)


def _part(node: Any, name: str) -> dict[str, Any]:
    found = node.get(name) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def _configuration(setup: Setup, loaded: Loaded, base: str, told: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield whether the gateway uses the file that is examined, as it is now."""
    used = told.get("file")
    if used and Path(str(used)) != loaded.file.resolve() and Path(str(used)) != loaded.file:
        yield warning(
            _GATEWAY,
            _("the gateway uses another configuration, {used}, not {own}").format(
                used=readable(str(used), 200), own=loaded.file
            ),
            why=_("what is found in the file here says nothing about that gateway"),
            fix=f"jairouter --config {shlex.quote(readable(str(used), 200))} doctor",
        )
        return
    if error := told.get("error"):
        yield failed(
            _GATEWAY,
            _("the gateway rejected the file: {reason}").format(reason=readable(str(error), 300)),
            why=_("it still uses the configuration before"),
            fix=_("mend the file or, if it is as intended, restart the gateway"),
        )
        return
    if told.get("digest") not in {None, loaded.digest} and not _follows(setup, loaded, base):
        yield warning(
            _GATEWAY,
            _("the gateway does not use the file as it is now"),
            why=_("it should have noticed the change within a second"),
            fix=_("look at its log, then restart it"),
        )
        return
    started = _started(base, setup.timeout_s)
    waiting = () if started is None else _waiting(loaded, started)
    if waiting:
        yield warning(
            _GATEWAY,
            _("these keys have changed since the gateway started: {keys}").format(keys=", ".join(waiting)),
            why=_("it reads them only when it starts"),
            fix=_("restart the gateway: `systemctl restart jairouter`, or Ctrl-C and {command}").format(
                command=setup.command("serve")
            ),
        )
    else:
        yield ok(_GATEWAY, _("the gateway uses {file} as it is now").format(file=loaded.file))


def _follows(setup: Setup, loaded: Loaded, base: str) -> bool:
    """Whether it uses the file a moment later: the change may just have been made."""
    time.sleep(_FOLLOWS_S)
    try:
        node = client.get(base, "/actuator/health/config", setup.timeout_s)
    except JAIRouterError:
        return False
    return bool(_part(node, "details").get("digest") == loaded.digest)


def _started(base: str, timeout_s: float) -> float | None:
    """Return when the gateway started, in Unix time, if it says so."""
    try:
        found = client.get(base, "/actuator/metrics/process.start.time", timeout_s)
        return float(found["measurements"][0]["value"])
    except (JAIRouterError, KeyError, IndexError, TypeError, ValueError):
        return None


def _waiting(loaded: Loaded, started: float) -> tuple[str, ...]:
    """Return the keys that are read at start and have changed since; nothing if the revisions do not tell."""
    before = _config_at(loaded.file, started)
    return () if before is None else waiting_for_start(before, loaded.config)


def _config_at(file: Path, moment: float) -> Config | None:
    """Return the configuration as it was at a moment: of the revisions the newest that is not younger."""
    history, found = Store(file).history, None
    try:
        for number in reversed(history.numbers):
            found = history.read(number)
            if datetime.fromisoformat(found.at).timestamp() <= moment:
                break
        return None if found is None else parse(Document.load(found.text, str(file))).config
    except (JAIRouterError, ValueError):
        return None
