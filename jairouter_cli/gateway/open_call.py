"""A call from when its request has been read to its end: what it is charged, its record, its trace."""

from typing import Final

from jairouter_cli.gateway.charges import Admission
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.record import CallRecord
from jairouter_cli.gateway.route import Route
from jairouter_cli.observe.tracing import Trail
from jairouter_cli.payloads.tokens import Meter


class OpenCall:
    """A call that is under way. Whoever opens it sees to it that `end` is called once."""

    __slots__ = ("_admission", "gateway", "inbound", "record", "route", "trail")

    def __init__(self, gateway: Gateway, inbound: Inbound) -> None:
        self.gateway: Final = gateway
        self.inbound: Final = inbound
        record = self.record = CallRecord.begin(gateway.clock, inbound.call, inbound.request_id, inbound.endpoint)
        record.request_bytes = len(inbound.request.raw)
        record.credential = inbound.caller.credential
        self.route: Route | None = None
        """How things stood before the first attempt, if that is to be told."""
        tracer = gateway.tracer
        self.trail: Final[Trail | None] = None if tracer is None else tracer.begin(inbound.headers.lines)
        self._admission: Admission | None = None

    @property
    def admission(self) -> Admission:
        """Its way past the limits, which begins when it is first asked for."""
        if self._admission is None:
            self._admission = Admission(self.gateway.limits, self.inbound)
            self.record.decisions = self._admission.decisions
        return self._admission

    def used(self) -> None:
        """Note that an attempt is made: what was charged for its instance is spent."""
        if self._admission is not None:
            self._admission.use()

    def described(self) -> str:
        """Return the value of the header that tells of the route."""
        record = self.record
        if self.route is None:
            return ""
        return self.route.header(record.attempts, record.passed_over, record.queued_s, record.age_s)

    def end(self, status: int, ended: str, meter: Meter | None = None) -> None:
        """Put right what it was charged, and report it; `meter` knows what its answer cost, if that can be known."""
        record = self.record
        if self._admission is not None:
            self._admission.settle(meter, record.age_s, tried=bool(record.attempts))
        if meter is not None:
            record.events = meter.events
            record.spent = meter.spent(self.inbound.request, cut=ended != "ok")
        event = record.end(status, ended)
        self.gateway.report(event)
        if self.trail is not None:
            self.trail.end(event, "" if meter is None else meter.model())
