"""A fair queue: clients take turns, and each client's requests keep their order."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue in which a client with many requests does not keep one with few from its turn."""

    __slots__ = ("_clients",)

    def __init__(self) -> None:
        self._clients: dict[str, deque[T]] = {}  # in the order of their turns

    def __len__(self) -> int:
        return sum(map(len, self._clients.values()))

    def join(self, client: str, item: T) -> None:
        """Put an item behind the client's others."""
        self._clients.setdefault(client, deque()).append(item)

    def pop(self) -> T | None:
        """Take the next item out, and put its client behind the others; None if there is none."""
        client = next(iter(self._clients), None)
        if client is None:
            return None
        items = self._clients.pop(client)
        item = items.popleft()
        if items:
            self._clients[client] = items
        return item

    def leave(self, client: str, item: T) -> None:
        """Take an item out that waits no more, if it is there still."""
        items = self._clients.get(client)
        if items is None or item not in items:
            return
        items.remove(item)
        if not items:
            del self._clients[client]
