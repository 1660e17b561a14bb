"""A client's request as it comes to the gateway's inside, for tests that have no server."""

from jairouter_cli.auth.caller import Caller, Callers
from jairouter_cli.config.model import ServiceType
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.payloads.peek import Peeked
from jairouter_cli.payloads.request import Request
from jairouter_cli.routing.call import Call
from jairouter_cli.routing.table import Table


def inbound(
    table: Table, headers: Headers = (), body: bytes = b"{}", query: str = "", *, stream: bool = False
) -> Inbound:
    """Return a request to a chat of the model `m`."""
    lines = RequestHeaders(headers)
    caller: Caller = Callers().resolve("", lines)
    call, request = Call(ServiceType.CHAT, "m", stream=stream), Request(body, Peeked("m", stream))
    return Inbound(table, call, caller, request, lines, "req_1", "/chat/completions", is_main=True, query=query)
