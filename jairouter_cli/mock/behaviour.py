"""How a pretend model server behaves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`delay_s` passes before an answer, `chunk_interval_s` between the pieces of a stream.

    `fail_rate` is the share of requests, 0 to 1, that are answered 503; `seed` makes them the same ones each time.
    `name` goes into the header `x-mock-backend` of every answer.
    """

    delay_s: float = 0.0
    chunk_interval_s: float = 0.0
    fail_rate: float = 0.0
    name: str = "mock"
    seed: int | None = None
