"""`jairouter top`: watches a running gateway in the terminal."""

import io
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console, Group, RenderableType

from jairouter_cli.cli import client, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption, finite
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.cli.top import screen
from jairouter_cli.cli.top.keyboard import Keyboard, NoKeyboard, keyboard
from jairouter_cli.cli.top.poller import Feed, feeding, look
from jairouter_cli.cli.top.rates import Looks, Snapshot, View
from jairouter_cli.cli.top.screen import Look, Saying, Sort
from jairouter_cli.errors import JAIRouterError, UsageError

_QUIT: Final = frozenset("qQ\x03")
_GLANCE_S: Final = 0.1  # between two looks at what the feed found, and at the size of the terminal


def top(
    ctx: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Measure one interval, print one table and exit.")] = False,
    interval: Annotated[
        float,
        typer.Option(help="Seconds between refreshes.", min=0.1, max=3600, callback=finite, metavar="SECONDS"),
    ] = 2.0,
    sort: Annotated[Sort, typer.Option(help="Column to sort instances by.")] = Sort.REQUESTS,
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a running gateway: rates, requests in flight, times to first token, breakers and health of each instance.

    Requests and errors are averages per second over the last interval. Tokens (counted when a response ends) and
    quantiles cover the last 15 seconds. FT50 and FT95 are quantiles of the time to the first token of streams.

    For scripts: jairouter top --once --json
    """
    if as_json and not once:
        raise UsageError(message="--json needs --once", hint="run `jairouter top --once --json`")
    console = output.stdout()
    if not once and (not console.is_terminal or console.is_dumb_terminal):
        raise UsageError(message="standard output is not a terminal with cursor control", hint="use --once in scripts")
    base = client.base(ctx, config, url)
    other = "" if url else client.another_file(ctx, config, base)
    ask = partial(look, base, timeout, client.token(ctx, config, url))
    history = Looks()
    history.add(ask())
    if once:
        if other:
            output.warn(other)
        _print_once(history, ask, interval, Look(sort), as_json=as_json)
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an escape would be wider than the column that was made for it
    with _ended_orderly(), feeding(ask, interval) as feed, keyboard() as keys:
        _Watch(base, other, history, Look(sort), feed, keys).run(console)


def _print_once(history: Looks, ask: Callable[[], Snapshot], interval_s: float, look: Look, *, as_json: bool) -> None:
    """Print what happens within one interval."""
    time.sleep(interval_s)
    history.add(ask())
    view = history.view()
    view = msgspec.structs.replace(view, instances=tuple(screen.ordered(view.instances, look)))
    output.show(msgspec.to_builtins(view), as_json=as_json, text=lambda: _table(view))


def _table(view: View) -> RenderableType:
    width = output.stdout().width
    return Group(*screen.totals(view), *screen.table(view.instances, width))


@contextmanager
def _ended_orderly() -> Iterator[None]:
    """End as if by `q` on Ctrl-C, and give the terminal back on SIGTERM and SIGHUP, too."""
    before = {one: signal.signal(one, _leave) for one in _orders()}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _orders() -> tuple[signal.Signals, ...]:
    return (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else ()))


def _leave(signum: int, _: object) -> None:
    raise SystemExit(128 + signum)


class _Watch:
    """What is seen, and what goes on until somebody quits."""

    def __init__(self, base: str, other: str, history: Looks, look: Look, feed: Feed, keys: Keyboard) -> None:
        self._base: Final = base
        self._other: Final = other
        self._history: Final = history
        self._feed: Final = feed
        self._keys: Final = keys
        self._view = history.view()
        self._look = look
        self._page = 1
        self._seen_at = _clock()
        self._trouble = ""

    def run(self, console: Console) -> None:
        """Go on until `q`, Ctrl-C, or the end of the terminal."""
        from rich.live import Live  # noqa: PLC0415 - of no use to other commands

        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            size = None
            while True:
                if self._take() or console.size != size:
                    size = console.size
                    live.update(self._frame(size.width, size.height), refresh=True)
                try:
                    pressed = self._keys.wait(_GLANCE_S)
                except EOFError:
                    return
                if not _QUIT.isdisjoint(pressed):
                    return
                for key in pressed:
                    self._look = self._look.press(key, self._page)
                if pressed:
                    size = None

    def _take(self) -> bool:
        """Take in what the feed has found; return whether there was anything."""
        is_new = False
        for found in self._feed.take():
            is_new = True
            if isinstance(found, JAIRouterError):
                self._trouble = _("no new data since {time}; retrying: {reason}").format(
                    time=self._seen_at, reason=found.params.get("reason", found)
                )
                continue
            self._history.add(found)
            self._seen_at, self._trouble = _clock(), ""
        if is_new and not self._look.is_paused:
            self._view = self._history.view()
        return is_new

    def _frame(self, width: int, height: int) -> RenderableType:
        has_keys = not isinstance(self._keys, NoKeyboard)
        saying = Saying(self._base, self._seen_at, self._trouble, has_keys, self._other)
        shown = screen.frame(self._view, self._look, saying, width, height)
        self._look, self._page = shown.look, shown.page
        return Group(*shown.lines)


def _clock() -> str:
    return time.strftime("%H:%M:%S")
