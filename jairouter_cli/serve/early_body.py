"""Bodies that are asked for before the task of their request begins.

Why: a request comes to Granian's own threads, and its task runs in the thread of the event loop. Asked for there, its
body is fetched by the other threads while the loop waits to be woken once more, although it had come with the head.
Asked for in Granian's thread, it is there when the task begins. This needs names of Granian that are not public; with
a version that is not known to have them, bodies are asked for when they are needed.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import granian
from granian.server import mp

from jairouter_cli.web.doors.rsgi import RsgiApplication

_KNOWN: Final = ("2.7.", "2.8.")  # versions whose private names are those below
_WRAPPER: Final = "_future_watcher_wrapper"  # makes of an application what Granian calls for each request

AnswerTask = Callable[[Any], Coroutine[Any, Any, None]]


def ask_early(application: RsgiApplication) -> bool:
    """Have the bodies of an application's requests asked for early, in this process; return whether that can be."""
    if not granian.__version__.startswith(_KNOWN) or not hasattr(mp, _WRAPPER):
        return False
    setattr(mp, _WRAPPER, lambda _: _tasks(application))
    return True


def _tasks(application: RsgiApplication) -> AnswerTask:
    """Return what makes the task of a request; it is called in Granian's thread, and the task runs in the loop's."""

    async def answer(watcher: Any, scope: Any, proto: Any, pieces: Any) -> None:
        try:
            await application.__rsgi__(scope, proto, pieces)
        except BaseException as error:  # noqa: BLE001 - as Granian's own does
            watcher.err(error)
            return
        watcher.done()

    def begin(watcher: Any) -> Coroutine[Any, Any, None]:
        scope, proto = watcher.scope, watcher.proto
        return answer(watcher, scope, proto, application.begun(scope, proto))

    return begin
