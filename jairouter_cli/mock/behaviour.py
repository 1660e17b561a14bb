"""Settings of the mock model server: delays, failures, its name."""

from dataclasses import dataclass

from jairouter_cli.errors import UsageError
from jairouter_cli.mock.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`delay_s` passes before a POST is answered, `chunk_interval_s` between the pieces of a stream.

    `fail_rate` is the share of POSTs, 0 to 1, that are answered 503; `seed` makes them the same ones each time.
    `name` goes into the header `x-mock-backend` of every answer. GETs ask about the server, not its models: they are
    answered at once, as servers of a `kind` of `kinds.KINDS` do if one is named. Raises `UsageError` for a value that
    nothing can behave by.
    """

    delay_s: float = 0.0
    chunk_interval_s: float = 0.0
    fail_rate: float = 0.0
    name: str = "mock"
    seed: int | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        checks = (
            (0 <= self.delay_s < float("inf"), "the delay must be a number of seconds, 0 or more"),
            (0 <= self.chunk_interval_s < float("inf"), "the chunk interval must be a number of seconds, 0 or more"),
            (0 <= self.fail_rate <= 1, "the fail rate must be a share from 0 to 1"),
            (self.kind is None or self.kind in KINDS, f"the kind must be one of {', '.join(KINDS)}"),
            (self.name.isprintable(), "the name is sent in a header and must have only printable characters"),
        )
        for holds, message in checks:
            if not holds:
                raise UsageError(message=message)
