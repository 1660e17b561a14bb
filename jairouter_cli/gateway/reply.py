"""An answer on its way to the client: the exchange that it comes by, the lease that it ends, its pipe."""

from typing import Final

from jairouter_cli.gateway.failures import cut_off
from jairouter_cli.gateway.fallback import Copy
from jairouter_cli.gateway.open_call import OpenCall
from jairouter_cli.gateway.outbound import asks_usage
from jairouter_cli.gateway.pipe import Listener, Pipe
from jairouter_cli.gateway.translation import TranslatedStream, TranslatedWhole
from jairouter_cli.gateway.upstream.exchange import Exchange, UpstreamFailure
from jairouter_cli.payloads.answer_coding import Ear, PackedGate, is_packed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.payloads.sse import EventGate, has_content
from jairouter_cli.payloads.stream_usage import HidingGate
from jairouter_cli.payloads.tokens import Meter
from jairouter_cli.request_errors import RequestError
from jairouter_cli.routing.call import Outcome
from jairouter_cli.routing.ledger import Lease

CLIENT_LEFT: Final = 499  # nginx's number for it; never sent, only recorded
SERVER_ERROR: Final = 500
_BAD_REQUEST: Final = 400

EVENTS: Final = "text/event-stream"
_TELLING: Final = ("application/json", EVENTS)  # kinds of answers that say what they cost

_ENDINGS: Final = {
    Outcome.OK: "ok",
    Outcome.FAILED: "truncated",
    Outcome.STOPPED: "truncated",
    Outcome.REFUSED: "failed",
    Outcome.LEFT: "left",
}


class Reply:
    """A backend's answer, or what takes its place. Whoever holds it calls `settle` once, at the end.

    `first` is what was read of a stream's body already. `extra` are headers that it gets beside its own; `copy` takes
    what is to be kept of it, if anything is; `meter` knows what it cost, if it can say so.
    """

    __slots__ = ("_call", "_lease", "copy", "exchange", "extra", "first", "meter")

    def __init__(self, call: OpenCall, exchange: Exchange, lease: Lease | None, first: bytes = b"") -> None:
        self._call: Final = call
        self._lease: Final = lease
        self.exchange: Final = exchange
        self.first: Final = first
        self.extra: Headers = ()
        self.copy: Copy | None = None
        self.meter: Meter | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it is but the best of several failures; its lease has ended already."""
        return self._lease is None and self.exchange.status >= SERVER_ERROR

    @property
    def request_id(self) -> str:
        """The id under which the request is logged."""
        return self._call.inbound.request_id

    @property
    def is_stopped(self) -> bool:
        """Whether its task, being cancelled, was ended by the gateway and not left by its client."""
        return self._call.gateway.drain.is_over

    def pipe(self, content_type: str, coding: str) -> Pipe:
        """Return the way of its body, of this `content-type` and `content-encoding`; its cost is heard from there."""
        meter: Meter | None = None
        if self._lease is not None and self.exchange.status < _BAD_REQUEST and content_type.startswith(_TELLING):
            meter = self.meter = Meter()
        record = self._call.record
        if meter is not None and isinstance(self.exchange, TranslatedWhole | TranslatedStream):
            self.meter = self.exchange.meter  # which has heard the backend itself
            meter = None
        if not content_type.startswith(EVENTS):
            listeners: list[Listener] = [] if self.copy is None else [self.copy.add]
            if meter is not None:
                listeners.append(Ear(coding, meter.add).add if is_packed(coding) else meter.add)
            return Pipe(record, (), listeners)
        if is_packed(coding):
            packed = PackedGate(coding, None if meter is None else meter.add)
            return Pipe(record, (packed,), (), packed.says_something)
        if meter is None:
            return Pipe(record, (EventGate(),), (), has_content)
        gate = HidingGate(meter.add) if self.hides_usage else EventGate()
        return Pipe(record, (gate,), (meter.add,), has_content)

    @property
    def hides_usage(self) -> bool:
        """Whether its stream tells the usage because we, and not the client, have asked."""
        return self._lease is not None and asks_usage(self._call.inbound, self._lease.target)

    @property
    def events(self) -> int:
        """How many events of its stream the client has got."""
        if isinstance(self.exchange, TranslatedStream):
            return self.exchange.events
        return 0 if self.meter is None else self.meter.events

    def failed(self, message: str) -> bytes:
        """Return what comes before the last event of a stream that fails, if its dialect has that."""
        return self.exchange.failed(message) if isinstance(self.exchange, TranslatedStream) else b""

    def has_content(self) -> None:
        """Note that the first content of a stream is on its way to the client."""
        self._call.record.has_content()

    def cut_off(self, failure: UpstreamFailure) -> RequestError:
        """Note that it breaks off in its midst; return what the client is told."""
        self._call.record.cut_off(str(failure))
        return cut_off(self._call.inbound.call.model, failure)

    async def settle(self, outcome: Outcome, status: int) -> None:
        """End the lease, report the call with the status that the client was told, and let the connection go."""
        call, copy = self._call, self.copy
        gateway = call.gateway
        if self._lease is not None:
            self._lease.settle(outcome, gateway.clock(), call.record.last_failure)
        if copy is not None and outcome is Outcome.OK and (body := copy.body) is not None:
            gateway.answers.keep(copy.key, self.exchange.headers, body, gateway.clock(), copy.rules)
        call.end(CLIENT_LEFT if outcome is Outcome.LEFT else status, _ENDINGS[outcome], self.meter)
        await self.discard()

    async def discard(self) -> None:
        """Let the connection go."""
        await self.exchange.aclose()
