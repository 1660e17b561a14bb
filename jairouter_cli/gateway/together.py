"""What a worker does as one of several: hears the bell when a slot is free, and, leading, clears up after the dead."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jairouter_cli.gateway.queue import WaitingRoom

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory

_LOOK_S: Final = 0.25  # how long what a dead worker had under way is counted


async def stay_in_touch(shared: "SharedMemory", waiting: WaitingRoom) -> None:
    """Do so until cancelled."""
    loop = asyncio.get_running_loop()

    def hear() -> None:
        with suppress(BlockingIOError):
            while True:
                shared.bell.recv(16)
        waiting.serve_all()

    loop.add_reader(shared.bell, hear)
    try:
        while True:
            if shared.leads():
                shared.clear_places_of_the_dead()
            await asyncio.sleep(_LOOK_S)
    finally:
        loop.remove_reader(shared.bell)
