"""The role "send this request, give me status, headers and the bytes as they come", and how it fails."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from msgspec import Struct

from jairouter_cli.payloads.headers import Headers
from jairouter_cli.routing.call import Timeouts


class UpstreamRequest(Struct, frozen=True, gc=False):
    """One request to one backend. `path` includes the query; `headers` hold neither `host` nor `content-length`.

    `expires_at` is when the whole call must be over, on the event loop's clock; infinity for never. With `anew` no kept
    connection will do. `proxy` is what the instance says of one: a URL, nothing for none, None for what holds for all.
    """

    origin: str
    path: str
    headers: Headers
    body: bytes | bytearray
    timeouts: Timeouts
    expires_at: float = float("inf")
    method: str = "POST"
    anew: bool = False
    proxy: str | None = None


class FailureKind(Enum):
    """Why an exchange failed; the value is the word for logs and for `details` of an error."""

    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    FIRST_CONTENT_TIMEOUT = "first_content_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    BROKEN = "broken"


class UpstreamFailure(Exception):
    """An exchange failed. `detail` is for the log: it may name addresses. `after_s` is how long a timeout was.

    `was_stale` is whether a kept connection broke before a byte of an answer: most likely the backend had closed it
    just then and knows nothing of the request.
    """

    def __init__(self, kind: FailureKind, detail: str, after_s: float = 0.0) -> None:
        self.kind = kind
        self.detail = detail
        self.after_s = after_s
        self.was_stale = False
        super().__init__(f"{kind.value}: {detail}")


class Exchange(Protocol):
    """A backend's answer whose headers have come."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Headers:
        """The headers as they came."""

    async def read(self) -> bytes:
        """Return what has come of the body since, at least a byte, still encoded as `content-encoding` says.

        Nothing at its end. It may be cancelled and called again; nothing is lost. Raises `UpstreamFailure`.
        """

    def expect_content(self, within_s: float | None) -> None:
        """Fail with `FIRST_CONTENT_TIMEOUT` unless this is called again, with None, within that time."""

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""


class PoolState(NamedTuple):
    """The connections to one backend: at work, kept, waited for, and how many there may be."""

    backend: str
    active: int
    idle: int
    waiting: int
    most: int


class Upstream(Protocol):
    """Sends requests to backends."""

    def pools(self) -> Sequence[PoolState]:
        """Return how the connections to each backend stand; nothing where that is not known."""

    async def send(self, request: UpstreamRequest) -> Exchange:
        """Send, and return when the answer's headers have come. Raises `UpstreamFailure`."""

    async def knock(self, origin: str, proxy: str | None, within_s: float) -> None:
        """Open a connection and close it. Raises `UpstreamFailure`."""

    async def aclose(self) -> None:
        """Close every connection."""
