"""`docs/json.md`: what `--json` prints, command by command, from commands that are run against a gateway with mocks.

What differs from run to run (folders, ports, times, measured seconds) is replaced by examples.
"""

import json
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from scripts.reference.markdown import code, made_by
from tests.process import Served, eventually, mock, run, serving

INTRO: Final = """\
# JSON output

What each command prints with `--json`: one JSON document on standard output, in UTF-8. Messages and warnings go to
standard error. So do errors, as one line: `{"error": {"kind", "message", "hint", "exitCode"}}`; look at the
[exit code](cli.md#exit-codes) first.

- The keys below stay: a new version can add keys, and does not rename or remove any without saying so in the changelog.
- Keys are in camel case; names that end in `S` are seconds, and times are ISO 8601 in UTC.
- `null` stands for a value that does not apply or is not known. JSON is never translated.
- Commands that edit print the same object: the `file`, a `summary`, the `service` and `instance` if the edit concerns
  one, the new `revision`, the keys that take effect `atNextStart`, and `notices`, which are warnings about the file.
  `config import` adds what was `imported`, what was left out (`leftOut`), and what of the earlier file was `replaced`.
"""
MODEL: Final = "qwen2.5:7b"
BACKENDS: Final = ("http://10.0.0.7:8000", "http://10.0.0.8:8000")
GATEWAY: Final = "http://127.0.0.1:8080"
FOLDER: Final = "/home/me/gateway"

LITELLM: Final = """\
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY, rpm: 60}
litellm_settings: {drop_params: true}
"""

# Before the gateway starts; `{0}` and `{1}` are the backends.
EDITS: Final = (
    "init",
    "services add embedding",
    "instances add chat qwen2.5:7b {0}",
    "instances add chat qwen2.5:7b {1}",
    "instances update chat qwen2.5:7b@{1} --weight 2",
    "instances disable chat qwen2.5:7b@{1}",
    "instances enable chat qwen2.5:7b@{1}",
    "services update chat --load-balance round-robin",
    "limits set chat --capacity 100 --rate 10",
    "config set webclient.connection-timeout 5s",
    "config unset webclient.read-timeout",
)
READS: Final = (
    "version",
    "services list",
    "instances list",
    "instances show chat qwen2.5:7b@{1}",
    "discover {0}",
    "limits list",
    "limits show chat",
    "config path",
    "config show",
    "config get server.shutdown",
    "config validate",
    "config history --last 2",
    "config diff",
)
ASKS: Final = (
    "health",
    "doctor",
    f"explain chat {MODEL}",
    "limits show --live",
    "top --once --interval 0.2",
    f"chat {MODEL} Hello",
    "connect aider --print",
)
AFTERWARDS: Final = (
    "usage",
    "config export exported",
    "config import litellm.yaml",
    "config rollback 9",
    "config forget 2",
    "limits remove chat",
    "instances remove chat qwen2.5:7b@{1}",
    "services remove embedding",
)
# Commands that have `--json`, and no example here.
WITHOUT: Final[Mapping[str, str]] = {
    "config edit": "waits for an editor; prints what other edits print",
    "service install": "tells the service manager; prints `file`, `installed` and the `content` of the file",
    "service status": "asks the service manager; prints `file`, `state`, `isEnabled` and `isRunning`",
    "service uninstall": "tells the service manager; prints `file` and `removed`",
    "mock": "serves until it is stopped; prints its address",
}
# What a measured value is in an example.
_MEASURED: Final[Mapping[str, str]] = {
    "latencyS": "0.412",
    "responseTime": "412.0",
    "total": "250000000000",
    "free": "100000000000",
    "pid": "4711",
    "remaining": "97.0",
    "resetS": "0.3",
}
# Of an examination, those that do not differ from machine to machine.
_CHECKS: Final = frozenset({"config", "backend", "model"})
_THIS_MACHINE: Final[Mapping[str, str]] = {
    f'"{platform.python_version()}"': '"3.13.1"',
    f'"{platform.platform()}"': '"Linux-6.12.0-amd64-x86_64-with-glibc2.41"',
    '"compiled"': '"pure Python"',
}
_SECTIONS: Final = ("server", "model", "webclient", "monitoring", "logging", "usage", "tracing", "management")


class Example(NamedTuple):
    """A command, and what it printed."""

    command: str
    output: str


def page() -> str:
    """Run the commands and return the page, in the order of their names."""
    parts = [made_by(INTRO)]
    before = ""
    for command, output in sorted(_examples()):
        name = name_of(command)
        heading = "" if name == before else f"## {name}\n\n"
        parts.append(f"{heading}{code(f'jairouter {command} --json', 'sh')}\n{code(output, 'json')}")
        before = name
        if name == "doctor":
            parts.append(
                "and findings of the other checks. `status` is `OK`, `WARNING` or `FAILED`, for the report the\n"
                "gravest of its findings. `why` and `fix` are `null` where all is well. New checks can be added.\n"
            )
        if name == "config show":
            parts.append(
                "and the other sections in the same way, with the keys of the [configuration](configuration.md).\n"
            )
    return "\n".join(parts)


def name_of(command: str) -> str:
    """Return a command without its arguments."""
    words = command.split()
    return " ".join(words[: 2 if words[0] in {"config", "instances", "limits", "service", "services"} else 1])


def _examples() -> list[Example]:
    """Run the commands; return one example for each. `limits show` has two."""
    found: dict[str, Example] = {}
    for one in _run_all():
        found.setdefault(one.command if "--live" in one.command else name_of(one.command), one)
    return list(found.values())


def _run_all() -> Iterator[Example]:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        urls = sorted(stack.enter_context(mock(name))[1] for name in ("a", "b"))
        environ = {"HOME": folder, "JAIROUTER_CONFIG": "", "LC_ALL": "C", "LANGUAGE": "", "TZ": "UTC"}
        shown = {folder: FOLDER, **dict(zip(urls, BACKENDS, strict=True)), **_THIS_MACHINE}

        def example(command: str, *more: str) -> Example:
            arguments = command.format(*urls).split()
            done = run(*arguments, *more, "--json", cwd=Path(folder), env=environ)
            assert done.returncode == 0, (command, done.stderr)
            return Example(command.format(*BACKENDS), _normal(done.stdout, command, shown))

        Path(folder, "litellm.yaml").write_text(LITELLM, "utf-8")
        yield from map(example, EDITS)
        yield from map(example, READS)
        log = Path(folder, "log")
        with serving("--config", "jairouter.yaml", cwd=Path(folder), env=environ, stderr=log) as served:
            shown[served.url] = GATEWAY
            yield Example("serve", _normal(json.dumps(served.announced, indent=2), "serve", shown))
            _traffic(served)
            eventually(lambda: "workers" in served.get("/actuator/health").json()["components"])  # the parent's part
            for command in ASKS:
                yield example(command, "--url", served.url)
        yield from map(example, AFTERWARDS)


def _traffic(served: Served) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    for _ in range(4):
        served.post("/v1/chat/completions", json=body).raise_for_status()


def _normal(text: str, command: str, shown: Mapping[str, str]) -> str:
    """Return an output with examples in place of what differs from run to run."""
    if command == "config show":
        text = json.dumps({key: value for key, value in json.loads(text).items() if key not in _SECTIONS}, indent=2)
    if command == "doctor":
        found = json.loads(text)
        text = json.dumps(
            {**found, "findings": [one for one in found["findings"] if one["check"] in _CHECKS]}, indent=2
        )
    for found, example in shown.items():
        text = text.replace(found, example)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", r"2026-11-01T08:00:00\1", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "3b5d" * 16, text)
    for key, example in _MEASURED.items():
        text = re.sub(rf'("{key}": )[\d.e-]+', rf"\g<1>{example}", text)
    return text
