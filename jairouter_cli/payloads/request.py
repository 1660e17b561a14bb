"""The body of a request as a value: read once when it has come, and further only for those who ask.

A call may look at its body many times: limits at each instance, affinity, usage, a name that an instance has for the
model, at each attempt. Each answer is found once and kept. What nobody asks for is never read.
"""

from typing import Final

from jairouter_cli.payloads.affinity import SESSION_HEADER, affinity
from jairouter_cli.payloads.headers import RequestHeaders
from jairouter_cli.payloads.peek import Peeked, peek_json, peek_multipart
from jairouter_cli.payloads.rename import rename_form, rename_json
from jairouter_cli.payloads.stream_usage import asking, lacks_usage
from jairouter_cli.payloads.tokens import expected_tokens


class Request:
    """A body of JSON, or with a `form_type` (its `content-type`) a form.

    `raw` is what the client sent, `model` the one that it names, `stream` whether it wants events.
    """

    __slots__ = ("_affinity", "_expected", "_form_type", "_forwarded", "_lacks_usage", "model", "raw", "stream")

    def __init__(self, raw: bytes | bytearray, peeked: Peeked, form_type: str = "") -> None:
        self.raw: Final = raw
        self.model: Final = peeked.model
        self.stream: Final = peeked.stream
        self._form_type: Final = form_type
        self._expected: tuple[float, float] | None = None
        self._lacks_usage: bool | None = None
        self._affinity: tuple[bool, str] | None = None
        self._forwarded: dict[tuple[str | None, bool], bytes | bytearray] | None = None

    @property
    def lacks_usage(self) -> bool:
        """Whether it says nothing of the usage of its stream, so that the gateway may ask for it."""
        if self._lacks_usage is None:
            self._lacks_usage = lacks_usage(self.raw)
        return self._lacks_usage

    @property
    def expected_tokens(self) -> tuple[float, float]:
        """How many tokens its prompt has, roughly, and how many it asks for at most; 0 for what is not known."""
        if self._expected is None:
            self._expected = expected_tokens(self.raw)
        return self._expected

    def affinity(self, headers: RequestHeaders, *, by_prefix: bool) -> str:
        """Return the key of requests that should go to the same instance, empty if there is none."""
        if self._affinity is None or self._affinity[0] is not by_prefix:
            self._affinity = by_prefix, affinity(headers.get(SESSION_HEADER, ""), self.raw, by_prefix=by_prefix)
        return self._affinity[1]

    def forwarded(self, model: str | None, *, asks_usage: bool) -> bytes | bytearray:
        """Return the body as a backend gets it: with its own name for the `model`, or with the usage asked for.

        Raises `InvalidRequest` for more members than requests have.
        """
        if model is None and not asks_usage:
            return self.raw
        if self._forwarded is None:
            self._forwarded = {}
        key = model, asks_usage
        found = self._forwarded.get(key)
        if found is None:
            found = self._forwarded[key] = self._changed(model, asks_usage=asks_usage)
        return found

    def _changed(self, model: str | None, *, asks_usage: bool) -> bytes | bytearray:
        body = asking(self.raw) if asks_usage else self.raw
        if model is None:
            return body
        return rename_form(body, self._form_type, model) if self._form_type else rename_json(body, model)


def read_json(body: bytes | bytearray) -> Request:
    """Read a body of JSON. Raises `InvalidRequest` and its kin."""
    return Request(body, peek_json(body))


def read_form(body: bytes | bytearray, content_type: str) -> Request:
    """Read a form. Raises `InvalidRequest` and its kin."""
    return Request(body, peek_multipart(body, content_type), content_type)
