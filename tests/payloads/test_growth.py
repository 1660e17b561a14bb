"""Twice as many bytes that others wrote take twice as long, at most; and tokens take no steps of Python."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from jairouter_cli.payloads.affinity import affinity
from jairouter_cli.payloads.peek import Peeked, peek_multipart
from jairouter_cli.payloads.reading import mended
from jairouter_cli.payloads.rename import rename_form, rename_json
from jairouter_cli.payloads.request import Request
from jairouter_cli.payloads.sse import EventGate, has_content
from jairouter_cli.payloads.stream_usage import HidingGate, asking, lacks_usage
from jairouter_cli.payloads.tokens import Meter, expected_tokens
from jairouter_cli.request_errors import InvalidRequest


def ignore(_: bytes) -> None:
    """Hear a frame that is hidden."""


def gated(gate: EventGate, text: bytes, size: int) -> None:
    """Let a stream through in pieces of a size."""
    for start in range(0, len(text), size):
        gate.feed(text[start : start + size])
    gate.rest()


def metered(text: bytes, size: int) -> None:
    """Let a meter hear a stream in pieces of a size."""
    meter = Meter()
    for start in range(0, len(text), size):
        meter.add(text[start : start + size])
    assert not meter.has_ended
    meter.spent(Request(b"", Peeked("m")), cut=True)
    meter.model()


def form(*contents: bytes) -> bytes:
    """Return a form of such parts."""
    head = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
    return b"".join(head + content + b"\r\n" for content in contents) + b"--b--\r\n"


def in_object(text: bytes) -> bytes:
    """Return a request with something in it."""
    return b'{"model":"m","prompt":' + text + b"}"


Work = Callable[[int], tuple[Callable[..., object], tuple[Any, ...]]]
# each makes work of about so many bytes
EVIL: dict[str, Work] = {
    "rename tokens": lambda n: (rename_json, (in_object(b"[" + b"[]," * (n // 3) + b"1]"), "x")),
    "rename spaces": lambda n: (rename_json, (b'{"model":' + b" " * n + b'"m"}', "x")),
    "rename escapes": lambda n: (rename_json, (b'{"' + rb"\n" * (n // 2) + b'":1,"model":"m"}', "x")),
    "rename form": lambda n: (rename_form, (form(b"\r\n" * (n // 2)), "multipart/form-data; boundary=b", "x")),
    "ask tokens": lambda n: (asking, (in_object(b"[" + b"{}," * (n // 3) + b"1]"),)),
    "lacks": lambda n: (lacks_usage, (b'{"stream_options":{' + b'"a":1,' * (n // 6) + b'"b":1}}',)),
    "mend": lambda n: (mended, (in_object(b'"' + rb"\ud83d\\" * (n // 8) + b'"'),)),
    "expect files": lambda n: (expected_tokens, (in_object(b"[" + b'"base64,","data"' * (n // 16) + b"]"),)),
    "expect data": lambda n: (expected_tokens, (in_object(b'["data"' + b" " * n + b"]"),)),
    "expect numbers": lambda n: (expected_tokens, (b'{"max_tokens":' + b"9" * n + b',"n":[' + b"1," * n + b"1]}",)),
    "affinity": lambda n: (lambda b: affinity("", b, by_prefix=True), (b'{"messages":[' + b"[]," * (n // 3) + b"0]}",)),
    "gate bytes": lambda n: (gated, (EventGate(), b"x" * (n // 8), 1)),
    "gate returns": lambda n: (gated, (EventGate(), b"\r" + b"x\r" * (n // 16), 1)),
    "gate pieces": lambda n: (gated, (EventGate(), b"x" * n, 64)),
    "hiding gate": lambda n: (gated, (HidingGate(ignore), b'data: {"choices":[]\r' * (n // 20), 4096)),
    "hidden events": lambda n: (gated, (HidingGate(ignore), b'data: {"choices":[]}\r\r' * (n // 22), 4096)),
    "content": lambda n: (has_content, (b'data: {"choices":[]}\n\n' * (n // 22),)),
    "meter bytes": lambda n: (metered, (b"x" * (n // 8), 1)),
    "meter reports": lambda n: (metered, (b'"usage":{' * (n // 9), 256)),
    "meter nulls": lambda n: (metered, (b'"usage":null,' * (n // 13), 256)),
    "meter types": lambda n: (metered, (b'\ndata: {"type": ' * (n // 16), n)),
}


def took(make: Work, size: int) -> float:
    """Return how long it takes at best."""
    best = float("inf")
    for _ in range(3):
        work, arguments = make(size)
        began = time.process_time()
        work(*arguments)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("name", EVIL)
def test_twice_as_much_takes_twice_as_long(name: str) -> None:
    """A quadratic step takes four times as long; what is measured among other work is measured again."""
    make, size = EVIL[name], 200_000
    found = []
    for _ in range(5):
        ratio = took(make, 4 * size) / max(took(make, 2 * size), 1e-9)
        found.append(ratio)
        if ratio < 3:
            return
    pytest.fail(f"twice as much took {', '.join(f'{ratio:.1f}' for ratio in found)} times as long")


OF_REQUESTS = [name for name in EVIL if name.split()[0] in {"rename", "ask", "lacks", "mend", "expect", "affinity"}]


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_no_step_of_python_for_each_token(name: str) -> None:
    """However many tokens there are in a body, the same lines run."""
    assert lines(EVIL[name], 90_000) == lines(EVIL[name], 180_000)


def test_millions_of_members_are_refused() -> None:
    """Requests have a dozen; each is a step of ours where one is to be changed."""
    few, many = (b'{"model":"m"' + b',"a":1' * count + b"}" for count in (999, 1000))
    assert rename_json(few, "x") == few.replace(b'"m"', b'"x"')
    assert asking(few).endswith(few[1:])
    with pytest.raises(InvalidRequest, match="the object has more than 1000 members"):
        rename_json(many, "x")
    with pytest.raises(InvalidRequest, match="the object has more than 1000 members"):
        asking(many)


def test_millions_of_parts_are_refused() -> None:
    """A form has a dozen, too."""
    kind = "multipart/form-data; boundary=b"
    named = form(b"m").replace(b'"x"', b'"model"')[: -len(b"--b--\r\n")]
    assert peek_multipart(named + form(*[b""] * 999), kind).model == "m"
    with pytest.raises(InvalidRequest, match="not a valid multipart form"):
        peek_multipart(named + form(*[b""] * 1000), kind)


def lines(make: Work, size: int) -> int:
    """Return how many lines of Python run."""
    count = 0

    def trace(_frame: object, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    work, arguments = make(size)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(*arguments)
    finally:
        sys.settrace(before)
    return count
