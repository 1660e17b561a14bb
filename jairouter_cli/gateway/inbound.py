"""A client's request on its way through the gateway: a value that goes down, and is never changed."""

from msgspec import Struct

from jairouter_cli.auth.caller import Caller
from jairouter_cli.payloads.headers import RequestHeaders
from jairouter_cli.payloads.request import Request
from jairouter_cli.routing.call import Call
from jairouter_cli.routing.table import Table


class Inbound(Struct, frozen=True, gc=False):
    """A client's request, as it will be forwarded.

    `table` is the configuration that was in force when it came: it is taken once, and holds to the end of the call.
    `tail` is the endpoint's path behind the version segment, `endpoint` where that endpoint is served, however the
    client spelt it. `other_model` is the model that is asked in place of the one that the body names, or None. With
    `asks_usage` the usage of its stream is asked for, which the client has not, of backends that tell it.
    """

    table: Table
    call: Call
    caller: Caller
    request: Request
    headers: RequestHeaders
    request_id: str
    tail: str
    is_main: bool
    query: str = ""
    endpoint: str = ""
    other_model: str | None = None
    asks_usage: bool = False
