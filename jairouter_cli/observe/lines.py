"""What a line of the log looks like: for people, or an object of JSON. Nothing a client sends can begin a new one.

No prompt, no answer and no key is ever in one; a client's key is told by the first digits of its SHA-256.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from jairouter_cli.config.monitoring import Level, LogFormat
from jairouter_cli.observe.events import Completed, Handled
from jairouter_cli.observe.fingerprint import fingerprint
from jairouter_cli.observe.levels import word

ACCESS: Final = "jairouter.access"

_WORD_LENGTH: Final = 256  # of what a client chose: models, paths, methods


class AccessLine(msgspec.Struct, kw_only=True):
    """One request, as an object of JSON. What does not apply is left out; `docs/observability.md` has the keys."""

    time: str
    level: str
    logger: str = ACCESS
    message: str
    pid: int
    request_id: str | UnsetType = UNSET
    client: str
    method: str
    path: str
    service: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    stream: bool | UnsetType = UNSET
    instance: str | UnsetType = UNSET
    status: int
    ended: str
    attempts: int | UnsetType = UNSET
    total_s: float
    gateway_s: float | UnsetType = UNSET
    queued_s: float | UnsetType = UNSET
    upstream_s: float | UnsetType = UNSET
    first_token_s: float | UnsetType = UNSET
    request_bytes: int | UnsetType = UNSET
    response_bytes: int
    input_tokens: int | UnsetType = UNSET
    output_tokens: int | UnsetType = UNSET
    tokens_source: str | UnsetType = UNSET
    fallback: str | UnsetType = UNSET
    key: str | UnsetType = UNSET


def _of_call(event: Completed, at: str, level: Level, pid: int) -> AccessLine:
    tries = event.attempts
    answered = event.answered
    tried_s = sum(attempt.duration_s for attempt in tries)
    # an answer's body comes at the pace of its backend, and of its client
    body_s = event.duration_s - event.head_s if answered else 0.0
    spent, path = event.spent, _cut(event.path)
    return AccessLine(
        time=at,
        level=level.value,
        message=f"{_cut(event.method)} {path} {event.status}",
        pid=pid,
        request_id=event.request_id,
        client=event.call.client_ip,
        method=_cut(event.method),
        path=path,
        service=event.call.service.value,
        model=_cut(event.call.model),
        stream=event.call.stream,
        instance=answered.instance if answered else UNSET,
        status=event.status,
        ended=event.ended,
        attempts=len(tries),
        total_s=_seconds(event.duration_s),
        gateway_s=_seconds(event.duration_s - tried_s - body_s - event.queued_s),
        queued_s=_seconds(event.queued_s),
        upstream_s=_seconds(tried_s + body_s),
        first_token_s=UNSET if event.first_token_s is None else _seconds(event.first_token_s),
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        input_tokens=spent.input_tokens if spent else UNSET,
        output_tokens=spent.output_tokens if spent else UNSET,
        tokens_source=spent.source.value if spent else UNSET,
        fallback=event.fallback or UNSET,
        key=fingerprint(event.credential) or UNSET,
    )


def _of_other(event: Handled, at: str, level: Level, pid: int) -> AccessLine:
    path = _cut(event.path)
    return AccessLine(
        time=at,
        level=level.value,
        message=f"{_cut(event.method)} {path} {event.status}",
        pid=pid,
        client=event.client_ip,
        method=_cut(event.method),
        path=path,
        status=event.status,
        ended=event.ended,
        total_s=_seconds(event.duration_s),
        response_bytes=event.response_bytes,
    )


def _seconds(value: float) -> float:
    return max(0.0, round(value, 6))


def _cut(text: str) -> str:
    return text if len(text) <= _WORD_LENGTH else text[:_WORD_LENGTH] + "…"


# --- for people ---


def human(line: AccessLine) -> str:
    """Return a request as a line for people."""
    told = [f"{line.client or '-'} {shown(line.method)} {shown(line.path)}"]
    if line.service is not UNSET:
        told.append(f" {line.service} {shown(line.model or '-')}")
    told.append(f" {line.status} {line.ended}")
    if line.instance is not UNSET:
        told.append(f" by {shown(line.instance)}")
    told.append(f", {line.total_s:.3f} s")
    if line.service is not UNSET:
        told.append(f" (gateway {line.gateway_s:.4f}, queue {line.queued_s:.3f}, upstream {line.upstream_s:.3f}")
        told.append(")" if line.first_token_s is UNSET else f", first token {line.first_token_s:.3f})")
        told.append(f", {line.request_bytes} bytes in, {line.response_bytes} out")
        if line.tokens_source is not UNSET:
            told.append(f", {line.input_tokens} tokens in, {line.output_tokens} out ({line.tokens_source})")
        if line.attempts != 1:
            told.append(f", {line.attempts} attempts")
        if line.fallback is not UNSET:
            told.append(f", fallback {line.fallback}")
        if line.key is not UNSET:
            told.append(f", key {line.key}")
        told.append(f", request {line.request_id}")
    return "".join(told)


def shown(text: str | UnsetType) -> str:
    """Return a text as one word: in quotes, and escaped, where it holds what could be taken for something else."""
    if not isinstance(text, str):
        return "-"
    if text.isprintable() and text and " " not in text and '"' not in text:
        return text
    return json.dumps(text)


def _escaped(text: str) -> str:
    """Return a text whose further lines are set in, and in which nothing steers a terminal."""
    if text.isprintable():
        return text
    kept = (one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)
    return "".join(kept).rstrip("\n").replace("\n", "\n  ")


class Stamps:
    """Times as lines show them, to the millisecond: of the place for people, in UTC for programs.

    Keeps what is the same for all lines of a second, which is most of the work.
    """

    def __init__(self, form: LogFormat) -> None:
        self._is_human = form is LogFormat.HUMAN
        self._kept = (-1, "")  # one value, for two threads may ask

    def of(self, at: float) -> str:
        """Return a time (wall clock)."""
        second = int(at)
        kept, text = self._kept
        if second != kept:
            here = time.localtime(at) if self._is_human else time.gmtime(at)
            text = time.strftime("%Y-%m-%d %H:%M:%S" if self._is_human else "%Y-%m-%dT%H:%M:%S", here)
            self._kept = second, text
        millis = int((at - second) * 1000)
        return f"{text},{millis:03d}" if self._is_human else f"{text}.{millis:03d}Z"


class HumanLines(logging.Formatter):
    """Time, level, message, traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._stamps = Stamps(LogFormat.HUMAN)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return f"{self._stamps.of(record.created)} {word(record.levelno)} {_escaped(chr(10).join(_told(record)))}"


class JsonLines(logging.Formatter):
    """`time`, `level`, `logger`, `message`, `pid`, and `exception` with the traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._stamps = Stamps(LogFormat.JSON)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message, *trace = _told(record)
        line: dict[str, Any] = {
            "time": self._stamps.of(record.created),
            "level": word(record.levelno).value,
            "logger": record.name,
            "message": message,
            "pid": record.process or os.getpid(),
        }
        if trace:
            line["exception"] = "\n".join(trace)
        return json.dumps(line, ensure_ascii=False)


FORMATTERS: Final[Mapping[LogFormat, Callable[[], logging.Formatter]]] = {
    LogFormat.HUMAN: HumanLines,
    LogFormat.JSON: JsonLines,
}


def _told(record: logging.LogRecord) -> list[str]:
    """Return a record's message and, if it has one, its traceback."""
    told = [record.getMessage()]
    if record.exc_info:
        told.append(logging.Formatter().formatException(record.exc_info))
    return told


class Lines:
    """Makes lines, of one form, of what happens in this process."""

    def __init__(self, form: LogFormat) -> None:
        self._is_human = form is LogFormat.HUMAN
        self._formatter = FORMATTERS[form]()
        self._stamps = Stamps(form)
        self._pid = os.getpid()

    def of_record(self, record: logging.LogRecord) -> bytes:
        """Return what a logger said."""
        return encoded(self._formatter.format(record))

    def of_request(self, event: Completed | Handled, at: float, level: Level) -> bytes:
        """Return what is told of a request that ended at a time (wall clock)."""
        stamp = self._stamps.of(at)
        if isinstance(event, Completed):
            line = _of_call(event, stamp, level, self._pid)
        else:
            line = _of_other(event, stamp, level, self._pid)
        if self._is_human:
            return encoded(f"{line.time} {line.level} {human(line)}")
        try:
            return msgspec.json.encode(line) + b"\n"
        except UnicodeEncodeError:  # half of a surrogate pair
            return encoded(json.dumps(msgspec.to_builtins(line)))


def encoded(text: str) -> bytes:
    """Return a line as bytes, whatever is in it."""
    return text.encode("utf-8", "backslashreplace") + b"\n"
