"""What a worker does as one of several: hears the bell, and, leading, clears up after the dead."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.state.workers import CLEAR, EDIT, LEVELS, SLOT

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory

_LOOK_S: Final = 0.25  # how long what a dead worker had under way is counted


async def stay_in_touch(
    shared: "SharedMemory", gateway: Gateway, edited: asyncio.Event, follow_levels: Callable[[], None]
) -> AsyncIterator[None]:
    """Do so, and yield after every look.

    `edited` is set when another worker has edited the configuration file; `follow_levels` is called when one was told
    how much to log.
    """
    loop = asyncio.get_running_loop()
    answers = {
        EDIT: edited.set,
        SLOT: gateway.waiting.serve_all,
        CLEAR: gateway.answers.clear,
        LEVELS: follow_levels,
    }

    def hear() -> None:
        heard = b""
        with suppress(BlockingIOError):
            while True:
                heard += shared.bell.recv(16)
        for what, answer in answers.items():
            if what in heard:
                with gateway.tasks.trying(f"bell-{what.decode()}"):
                    answer()

    loop.add_reader(shared.bell, hear)
    try:
        while True:
            if shared.leads():
                shared.clear_places_of_the_dead()
            await asyncio.sleep(_LOOK_S)
            yield
    finally:
        loop.remove_reader(shared.bell)
