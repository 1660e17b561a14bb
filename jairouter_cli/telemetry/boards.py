"""The boards on which the workers of a server count, as one of them sees them."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from jairouter_cli.observe.board import BOARD_BYTES, Board, own_board
from jairouter_cli.state.board_files import BoardFiles

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory


class Boards:
    """The boards of all workers; that of this one is `own`. With another `era` all counts began anew."""

    def __init__(self, folder: Path | None, shared: "SharedMemory | None") -> None:
        self._shared: Final = shared
        self._files = (
            None if folder is None else BoardFiles(folder, 0 if shared is None else shared.worker, BOARD_BYTES)
        )
        self.own: Final = own_board() if self._files is None else Board(self._files.own)
        self.era: Final = token_hex(8) if folder is None else folder.name
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
