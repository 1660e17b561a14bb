"""The heads of messages: what of an answer's is refused and what goes on to the client, and how a request's is written.

An answer that a server could not send on is the backend's failure, whoever reads it.
"""

from typing import Final

from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.way import Way
from jairouter_cli.payloads.headers import HOP_BY_HOP, Headers

MOST_LINES: Final = 256  # header lines of an answer, interim ones included; Node and Apache stop at 100 to 2000
MOST_BYTES: Final = 128 * 1024  # of an answer's head; nginx and Node stop at 8 to 16 KiB

TOO_MANY: Final = f"the backend's response has more than {MOST_LINES} header lines"
TOO_LONG: Final = f"the backend's response has more than {MOST_BYTES // 1024} KiB of headers"

_OTHER_LINES: Final = 3  # the request line, the length, and the empty line at the end
_SWITCHING: Final = 101
_STATUSES: Final = range(100, 600)
_OURS: Final = "x-jairouter-"


def status_fault(status: int) -> str:
    """Return what is wrong with the status of an answer, or nothing."""
    if status not in _STATUSES:
        return f"the backend's response has status {status}, which is not an HTTP status"
    return "the backend switched to another protocol without being asked" if status == _SWITCHING else ""


def coding_fault(headers: Headers) -> str:
    """Return what is wrong with how the body is framed, or nothing: of the transfer codings only `chunked` is read."""
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if codings and (len(codings) > 1 or codings[0].strip().lower() != "chunked"):
        return f"the backend used the unsupported transfer coding '{', '.join(codings)[:40]}'"
    return ""


def size_fault(headers: Headers) -> str:
    """Return what is wrong with how much an answer's head says, or nothing."""
    return TOO_MANY if len(headers) > MOST_LINES else ""


def passed_on(headers: Headers) -> list[tuple[str, str]]:
    """Return an answer's headers without those of its connection, and without those that only we may say of us."""
    dropped = HOP_BY_HOP
    for name, value in headers:
        if name == "connection":
            dropped = dropped.union(token.strip().lower() for token in value.split(","))
    return [pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(_OURS)]


def written(request: UpstreamRequest, way: Way) -> bytes:
    """Return the request line and headers, ready to be sent. Raises `UpstreamFailure`.

    Whatever a value holds, it is one line: a head that came apart would be two requests to the backend.
    """
    headers = request.headers
    own = "" if any(name == "host" for name, _ in headers) else f"host: {way.host_header}\r\n"
    count = len(headers) + (1 if own else 0) + _OTHER_LINES
    if way.proxy_authorization:
        own, count = f"{own}proxy-authorization: {way.proxy_authorization}\r\n", count + 1
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    start = f"{request.method} {way.target_prefix}{request.path} HTTP/1.1\r\n{own}"
    text = f"{start}{lines}content-length: {len(request.body)}\r\n\r\n"
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise UpstreamFailure(FailureKind.BROKEN, "a line break in a header or in the path; the request was not sent")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="replace")
