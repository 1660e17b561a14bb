"""The boards on which the workers of a server count, as one of them sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jairouter_cli.observe.board import BOARD_BYTES, Board, own_board
from jairouter_cli.state.boards import BoardFiles

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory


class Boards:
    """The boards of all workers; that of this one is `own`."""

    def __init__(self, folder: Path | None, shared: "SharedMemory | None") -> None:
        self._shared: Final = shared
        self._files = (
            None if folder is None else BoardFiles(folder, 0 if shared is None else shared.worker, BOARD_BYTES)
        )
        self.own: Final = own_board() if self._files is None else Board(self._files.own)
        self._others: dict[int, Board] = {}

    def __iter__(self) -> Iterator[tuple[Board, bool]]:
        """Yield every board, and whether its worker lives."""
        yield self.own, True
        if self._files is None or self._shared is None:
            return
        living = set(self._shared.living())
        for place, memory in self._files.others().items():
            board = self._others.get(place)
            if board is None:
                board = self._others[place] = Board(memory)
            yield board, place in living
