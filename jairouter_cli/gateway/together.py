"""What a worker does as one of several: hears the bell, and, leading, clears up after the dead."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.state.crew import CLEAR, EDIT, LEVELS, SLOT

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory

_LOOK_S: Final = 0.25  # how long what a dead worker had under way is counted


async def stay_in_touch(
    shared: "SharedMemory", gateway: Gateway, edited: asyncio.Event, follow_levels: Callable[[], None]
) -> None:
    """Do so until cancelled.

    `edited` is set when another worker has edited the configuration file; `follow_levels` is called when one was told
    how much to log.
    """
    loop = asyncio.get_running_loop()

    def hear() -> None:
        heard = b""
        with suppress(BlockingIOError):
            while True:
                heard += shared.bell.recv(16)
        if EDIT in heard:
            edited.set()
        if SLOT in heard:
            gateway.waiting.serve_all()
        if CLEAR in heard:
            gateway.answers.clear()
        if LEVELS in heard:
            follow_levels()

    loop.add_reader(shared.bell, hear)
    try:
        while True:
            if shared.leads():
                shared.clear_places_of_the_dead()
            await asyncio.sleep(_LOOK_S)
    finally:
        loop.remove_reader(shared.bell)
