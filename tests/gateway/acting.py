"""A client and a backend that play their parts in memory, so that one call can be looked at closely."""

from collections.abc import Callable, Sequence

from jairouter_cli.gateway.upstream.exchange import PoolState, UpstreamFailure, UpstreamRequest
from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.web.doors.body import Intake

CHAT = b'{"model":"m","stream_options":null,"messages":[{"role":"user","content":"hello"}]}'
ANSWER = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
WORD = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
STREAM = (
    WORD,
    WORD,
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
)


def nothing() -> None:
    """Do nothing."""


class Answer:
    """A backend's answer in these pieces."""

    def __init__(self, status: int, kind: str, pieces: Sequence[bytes], then: Callable[[], None]) -> None:
        self.status = status
        self.headers: Headers = [("content-type", kind)]
        self._pieces = list(pieces)
        self._then = then

    async def read(self) -> bytes:
        """Give the next piece."""
        self._then()
        return self._pieces.pop(0) if self._pieces else b""

    def expect_content(self, within_s: float | None) -> None:
        """Expect nothing."""

    async def aclose(self) -> None:
        """Be closed."""
        self._then()


class Backends:
    """Every backend there is: they answer one after the other, as they are told, and `then` something happens."""

    def __init__(
        self, *answers: UpstreamFailure | tuple[int, str, Sequence[bytes]], then: Callable[[], None] = nothing
    ) -> None:
        self._answers = list(answers)
        self._then = then
        self.asked: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> Answer:
        """Answer, or fail."""
        self._then()
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, UpstreamFailure):
            raise answer
        return Answer(*answer, self._then)

    def pools(self) -> Sequence[PoolState]:
        """Have none."""
        return ()

    async def knock(self, origin: str, proxy: str | None, within_s: float) -> None:
        """Be there."""

    async def aclose(self) -> None:
        """Be closed."""


class Client:
    """A client's request, and what it gets."""

    method, path, query, client_ip = "POST", "/v1/chat/completions", "", "127.0.0.1"
    lost: tuple[str, ...] = ()

    def __init__(self, body: bytes = CHAT, headers: Headers = (), then: Callable[[], None] = nothing) -> None:
        lines = [("content-type", "application/json"), ("authorization", "Bearer k"), *headers]
        self.headers = RequestHeaders(lines)
        self._body = body
        self._then = then
        self.started = False
        self.status = 0
        self.answer: dict[str, str] = {}
        self.received = b""

    async def body(self, _: Intake, __: object) -> bytes:
        """Give the body."""
        self._then()
        return self._body

    async def left(self) -> None:
        """Stay."""

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Get a whole answer."""
        await self.start(status, headers)
        self.received = body

    async def start(self, status: int, headers: Headers) -> None:
        """Get the head."""
        self._then()
        self.started, self.status, self.answer = True, status, dict(headers)

    async def piece(self, data: bytes) -> None:
        """Get a piece."""
        self._then()
        self.received += data

    async def end(self) -> None:
        """Get the end."""
        self._then()

    async def break_off(self) -> None:
        """Get a cut."""
        self._then()


def chat(*pieces: bytes) -> tuple[int, str, Sequence[bytes]]:
    """Return a whole answer, or a stream."""
    return 200, "text/event-stream" if len(pieces) > 1 else "application/json", pieces or (ANSWER,)
