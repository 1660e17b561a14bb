"""A conversation with a model through a running gateway: what was said, and what the model says next."""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import httpx

from jairouter_cli.cli.language import _
from jairouter_cli.cli.models import bearer
from jairouter_cli.errors import Answered, Unreachable

_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")
_DATA: Final = "data:"
_DONE: Final = "[DONE]"
_LONGEST: Final = 1 << 20  # characters of an error that is read
# What moves the cursor, changes colours or names windows: a model must not write it to a terminal.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Piece(NamedTuple):
    """Some of what a model writes; `is_thought` is what it writes before its answer, for itself."""

    text: str
    is_thought: bool


@dataclass
class Conversation:
    """What was said so far. `model` and `system` may be changed between two questions.

    `timeout_s` is how long the gateway may be silent. `finish` and `usage` are those of the last answer.
    """

    base: str
    model: str
    timeout_s: float
    key: str | None = None
    system: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)
    finish: str | None = None
    usage: dict[str, Any] | None = None

    def ask(self, question: str) -> Generator[Piece]:
        """Yield the answer as it comes. What came of it is remembered, also when the reader leaves early.

        Raises `Unreachable`, `Answered`; then the question is forgotten, unless some of the answer has come.
        """
        self.finish, self.usage = None, None
        self.messages.append({"role": "user", "content": question})
        answer = ""
        try:
            with closing(self._pieces()) as pieces:
                for piece in pieces:
                    answer += "" if piece.is_thought else piece.text
                    yield piece
        finally:
            if answer or self.finish:
                self.messages.append({"role": "assistant", "content": answer})
            else:
                self.messages.pop()

    def forget(self) -> None:
        """Begin again."""
        self.messages.clear()

    def _pieces(self) -> Generator[Piece]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        body = {
            "model": self.model,
            "messages": [*system, *self.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"accept-language": "en", **bearer(self.key)}
        try:
            with (
                httpx.Client(timeout=self.timeout_s, trust_env=False, headers=headers) as client,
                client.stream("POST", f"{self.base}/v1/chat/completions", json=body) as response,
            ):
                if response.is_error:
                    raise self._refusal(response)
                yield from self._events(response)
        except httpx.HTTPError as error:
            hangs = isinstance(error, httpx.TimeoutException)
            reason = _ERRNO.sub("", str(error)) or type(error).__name__
            raise Unreachable(url=self.base, reason=reason, hangs=hangs) from None

    def _events(self, response: httpx.Response) -> Iterator[Piece]:
        for line in response.iter_lines():
            data = line.removeprefix(_DATA).strip() if line.startswith(_DATA) else ""
            if data == _DONE:
                return
            event = _parsed(data)
            if "error" in event:
                raise Answered(url=self.base, status=response.status_code, reason=_reason(event))
            self.usage = event.get("usage") or self.usage
            yield from self._of(event)
        raise Answered(url=self.base, status=response.status_code, reason=_("the response was cut off"))

    def _of(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Yield what an event adds to the first choice."""
        for choice in event.get("choices") or ():
            self.finish = choice.get("finish_reason") or self.finish
            delta = choice.get("delta") or {}
            for name in ("reasoning_content", "reasoning", "content"):
                if text := delta.get(name):
                    yield Piece(_CONTROL.sub("", str(text)), is_thought=name != "content")

    def _refusal(self, response: httpx.Response) -> Answered:
        text = ""
        for part in response.iter_text():
            text += part
            if len(text) > _LONGEST:
                break
        reason = _reason(_parsed(text)) or _("HTTP {status}, not JSON").format(status=response.status_code)
        return Answered(url=self.base, status=response.status_code, reason=reason)


def _parsed(data: str) -> dict[str, Any]:
    """Return a JSON object, an empty one for anything else."""
    try:
        found = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(event: dict[str, Any]) -> str:
    error = event.get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else str(error or "")
