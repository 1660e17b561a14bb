"""A router that is put into one place, and into no other."""

from typing import Any, Self

from litestar import Router


class OnceRouter(Router):
    """A router that is registered once, as itself: Litestar would copy it, with all that its handlers hold."""

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self
