"""Formats log lines, as text or JSON. Nothing that a client sends can start a new line.

A line never contains a prompt, a response or a key; a client's key is shown as the first digits of its SHA-256.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from jairouter_cli.config.monitoring import Level, LogFormat
from jairouter_cli.observe.events import Completed, Handled
from jairouter_cli.observe.fingerprint import fingerprint
from jairouter_cli.observe.log_levels import word

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


_ERROR: Final = 400
# Few clients make most requests; their keys are in memory anyhow while they are served.
_fingerprint: Final = lru_cache(maxsize=256)(fingerprint)


class _Split(NamedTuple):
    """Where the time of a call went, in seconds, and which instance answered it: empty for none."""

    instance: str
    gateway_s: float
    upstream_s: float


def _split(event: Completed) -> _Split:
    tries, answered = event.attempts, event.answered
    upstream_s = tries[0].duration_s if len(tries) == 1 else sum([attempt.duration_s for attempt in tries])
    if answered is not None:  # an answer's body comes at the pace of its backend, and of its client
        upstream_s += event.duration_s - event.head_s
    gateway_s = event.duration_s - upstream_s - event.queued_s
    return _Split("" if answered is None else answered.instance, gateway_s, upstream_s)


def _of_call(event: Completed, at: str, level: Level, pid: int) -> AccessLine:
    call, spent, path, method = event.call, event.spent, _cut(event.path), _cut(event.method)
    instance, gateway_s, upstream_s = _split(event)
    return AccessLine(
        time=at,
        level=level,
        message=f"{method} {path} {event.status}",
        pid=pid,
        request_id=event.request_id,
        client=call.client_ip,
        method=method,
        path=path,
        service=call.service,
        model=_cut(call.model),
        stream=call.stream,
        instance=instance or UNSET,
        status=event.status,
        ended=event.ended,
        attempts=len(event.attempts),
        total_s=_seconds(event.duration_s),
        gateway_s=_seconds(gateway_s),
        queued_s=_seconds(event.queued_s),
        upstream_s=_seconds(upstream_s),
        first_token_s=UNSET if event.first_token_s is None else _seconds(event.first_token_s),
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        input_tokens=UNSET if spent is None else spent.input_tokens,
        output_tokens=UNSET if spent is None else spent.output_tokens,
        tokens_source=UNSET if spent is None else spent.source.value,
        fallback=event.fallback or UNSET,
        key=_fingerprint(event.credential) or UNSET,
    )


def _of_other(event: Handled, at: str, level: Level, pid: int) -> AccessLine:
    path = _cut(event.path)
    return AccessLine(
        time=at,
        level=level,
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
    return round(value, 6) if value > 0 else 0.0


def _cut(text: str) -> str:
    return text if len(text) <= _WORD_LENGTH else text[:_WORD_LENGTH] + "…"


# --- for people ---


def human(event: Completed | Handled) -> str:
    """Return a request as a line for people."""
    return _human_call(event) if isinstance(event, Completed) else _human_other(event)


def _human_call(event: Completed) -> str:
    call, spent, attempts = event.call, event.spent, len(event.attempts)
    instance, gateway_s, upstream_s = _split(event)
    by = f" by {shown(instance)}" if instance else ""
    first = "" if event.first_token_s is None else f", first token {event.first_token_s:.3f}"
    tokens = ""
    if spent is not None:
        tokens = f", {spent.input_tokens} tokens in, {spent.output_tokens} out ({spent.source.value})"
    tries = "" if attempts == 1 else f", {attempts} attempts"
    fallback = f", fallback {event.fallback}" if event.fallback else ""
    key = f", key {_fingerprint(event.credential)}" if event.credential else ""
    return (
        f"{call.client_ip or '-'} {shown(event.method)} {shown(event.path)} {call.service} {shown(call.model or '-')} "
        f"{_result(event.status, event.ended)}{by}, {event.duration_s:.3f} s "
        f"(gateway {_positive(gateway_s):.4f}, queue {event.queued_s:.3f}, upstream {_positive(upstream_s):.3f}{first})"
        f", {event.request_bytes} bytes in, {event.response_bytes} out{tokens}{tries}{fallback}{key}, "
        f"request {event.request_id}"
    )


def _human_other(event: Handled) -> str:
    where = f"{event.client_ip or '-'} {shown(event.method)} {shown(event.path)}"
    return f"{where} {_result(event.status, event.ended)}, {event.duration_s:.3f} s"


def _result(status: int, ended: str) -> str:
    """Return how it ended; an error that was sent whole is not called ok."""
    return f"{status}" if ended == "ok" and status >= _ERROR else f"{status} {ended}"


def _positive(value: float) -> float:
    return value if value > 0 else 0.0


@lru_cache(maxsize=1024)
def shown(text: str) -> str:
    """Return a text as one word: in quotes, and escaped, where it holds what could be taken for something else."""
    text = _cut(text)
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
        """Return the line of a request that ended at a time (wall clock)."""
        stamp = self._stamps.of(at)
        if self._is_human:
            return encoded(f"{stamp} {level} {human(event)}")
        if isinstance(event, Completed):
            line = _of_call(event, stamp, level, self._pid)
        else:
            line = _of_other(event, stamp, level, self._pid)
        try:
            return msgspec.json.encode(line) + b"\n"
        except UnicodeEncodeError:  # half of a surrogate pair
            return encoded(json.dumps(msgspec.to_builtins(line)))


def encoded(text: str) -> bytes:
    """Return a line as bytes, whatever is in it."""
    return text.encode("utf-8", "backslashreplace") + b"\n"
