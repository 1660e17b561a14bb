"""A worker's end as far as requests are concerned: whether it has begun, and when all of them must be over."""

import math


class Drain:
    """Begins once, and never goes back.

    `has_begun` means that others should be asked from now on: what still comes is served. `is_over` means that nobody
    is waited for any more: a request whose task is cancelled then was ended by the gateway, not left by its client.
    """

    __slots__ = ("deadline", "has_begun", "is_over")

    def __init__(self) -> None:
        self.has_begun = False
        self.is_over = False
        self.deadline = math.inf
        """When requests under way are ended, on the gateway's clock."""

    def begin(self, deadline: float) -> None:
        """Begin; what is under way may go on until then."""
        self.has_begun = True
        self.deadline = deadline
