"""One call: one configuration from its beginning to its end, every body read once, and a short way."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import jairouter_cli
from jairouter_cli.config.document import Document
from jairouter_cli.config.parse import parse
from jairouter_cli.form import COMPILED, form
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure
from jairouter_cli.routing.table import Table, compile_table
from jairouter_cli.web.v1.calls import OpenAI
from jairouter_cli.web.v1.endpoints import BY_PATH
from tests.gateway.acting import CHAT, STREAM, Backends, Client, chat

ENDPOINT = BY_PATH["/v1/chat/completions"]
ROOT = str(Path(jairouter_cli.__file__).parent)


def table(name: str, more: str = "") -> Table:
    """Return a configuration in which everything is called by a name."""
    text = f"""
server: {{locale: {"en" if name == "a" else "zh"}, route-header: true}}
webclient: {{heartbeat-interval: {"1s" if name == "a" else "2s"}}}
usage: {{ask-in-streams: true}}
model:
  max-retries: 1
  load-balance: {{type: prefix-affinity}}
  rate-limit: {{enabled: true, capacity: 1000, rate: 1000, tokens-per-minute: 1000000}}
  {more}
  services:
    chat:
      instances:
      - {{name: m, base-url: "http://{name}:1", upstream-model: {name}, api-key: key-of-{name}}}
      - {{name: m, base-url: "http://{name}:2", upstream-model: {name}, api-key: key-of-{name}}}
"""
    return compile_table(parse(Document.load(text, "f"), {}).config)


def ask(gateway: Gateway, client: Client) -> None:
    """Have a call answered."""
    asyncio.run(OpenAI(gateway).answer(ENDPOINT, client))


class Reload:
    """Puts another configuration into force at one of the moments at which a call waits for something."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.gateway: Gateway

    def __call__(self) -> None:
        """Let a moment pass."""
        self.left -= 1
        if self.left == 0:
            self.gateway.table = table("b", FALLBACK.format("b"))


FALLBACK = "fallback: {{enabled: true, strategy: default, response: of-{0}, status: 299}}"
DOWN = UpstreamFailure(FailureKind.UNREACHABLE, "no")


def outcome(answers: tuple[Any, ...], at: int, fallback: str = "", body: bytes = CHAT) -> tuple[Any, ...]:
    """Return what backends and the client have seen of a call, with a reload at a moment, and whether it came."""
    reload = Reload(at)
    backends, client = Backends(*answers, then=reload), Client(body, then=reload)
    reload.gateway = Gateway(table("a", fallback), backends)
    ask(reload.gateway, client)
    asked = [(one.origin, one.body, dict(one.headers)["authorization"]) for one in backends.asked]
    told = client.answer.pop("x-jairouter-route", "")
    client.answer.pop("x-request-id")
    return (asked, client.status, client.answer, client.received, "b:" in told), reload.left <= 0


@pytest.mark.parametrize(
    ("answers", "fallback", "body"),
    [
        ((DOWN, chat()), "", CHAT),
        ((DOWN, chat(*STREAM)), "", CHAT[:-1] + b',"stream":true}'),
        ((DOWN, DOWN), FALLBACK.format("a"), CHAT),
        ((DOWN, DOWN), "", CHAT),
        ((), "", b'{"model":"none"}'),
    ],
    ids=["answered", "streamed", "fallback", "refused", "unknown"],
)
def test_a_reload_between_any_two_waits_changes_nothing(answers: tuple[Any, ...], fallback: str, body: bytes) -> None:
    """Instances, keys, the language of errors, what takes the place of an answer: all are those of the beginning."""
    expected, _ = outcome(answers, 10**6, fallback, body)
    at, has_come = 1, True
    while has_come:
        found, has_come = outcome(answers, at, fallback, body)
        assert found == expected
        at += 1
    assert at > 2


@contextmanager
def profiled(hear: Any) -> Iterator[None]:
    """Hear of every call of a function in between."""
    sys.setprofile(hear)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.mark.skipif(form() == COMPILED, reason="a compiled function is not seen by Python's profiler")
def test_a_body_is_read_once_by_everyone_who_reads_it() -> None:
    """With limits of tokens, affinity, usage asked for, another name for the model and a second attempt."""
    decoded: Counter[str] = Counter()

    def hear(frame: FrameType, event: str, function: Any) -> None:
        code = frame.f_code
        if event == "c_call" and getattr(function, "__name__", "") == "decode" and "payloads" in code.co_filename:
            decoded[f"{Path(code.co_filename).stem} {id(function.__self__)}"] += 1
        if event == "call" and code.co_name in {"rename_json", "members", "asking"}:
            decoded[code.co_name] += 1

    backends, client = Backends(DOWN, chat(*STREAM)), Client(CHAT[:-1] + b',"stream":true}')
    gateway = Gateway(table("a"), backends)
    with profiled(hear):
        ask(gateway, client)
    assert len(backends.asked) == 2
    assert (decoded["rename_json"], decoded["asking"]) == (1, 1)
    assert {number for name, number in decoded.items() if name.startswith(("peek ", "reading "))} == {1}
    assert decoded["members"] == 2  # to ask for the usage, and to put the name in


@pytest.mark.skipif(form() == COMPILED, reason="a compiled function is not seen by Python's profiler")
def test_the_way_of_a_call_is_short() -> None:
    """No module is entered from another more often than eight times, from the door to the backend and back."""
    entered: Counter[str] = Counter()

    def hear(frame: FrameType, event: str, _: Any) -> None:
        before = frame.f_back
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(ROOT) and (before is None or before.f_code.co_filename != name):
            entered[name.removeprefix(ROOT)] += 1

    text = "model: {services: {chat: {instances: [{name: m, base-url: 'http://h:1'}]}}}"
    gateway = Gateway(compile_table(parse(Document.load(text, "f"), {}).config), Backends(chat(), chat()))
    ask(gateway, Client())
    with profiled(hear):
        ask(gateway, Client())
    assert max(entered.values()) <= 8, entered.most_common()
