"""Reads single keys from a terminal, without echo, and restores the terminal afterwards.

Uses only the standard library. Windows has no `termios`: there, and without a terminal, no key is ever read, and
Ctrl-C ends the program.
"""

import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

if sys.platform != "win32":
    import termios

UP: Final = "up"
DOWN: Final = "down"
PAGE_UP: Final = "page up"
PAGE_DOWN: Final = "page down"
HOME: Final = "home"
END: Final = "end"

# As terminals send them, in both of their modes.
_SEQUENCES: Final = {
    "\x1b[A": UP,
    "\x1bOA": UP,
    "\x1b[B": DOWN,
    "\x1bOB": DOWN,
    "\x1b[5~": PAGE_UP,
    "\x1b[6~": PAGE_DOWN,
    "\x1b[H": HOME,
    "\x1bOH": HOME,
    "\x1b[1~": HOME,
    "\x1b[F": END,
    "\x1bOF": END,
    "\x1b[4~": END,
}
_READ_BYTES: Final = 1024


class Keyboard(Protocol):
    """Where keys come from."""

    def wait(self, timeout_s: float) -> Sequence[str]:
        """Return the keys that were pressed, as soon as one is; none when the time is over."""


class NoKeyboard:
    """Nothing is ever pressed."""

    def wait(self, timeout_s: float) -> Sequence[str]:
        """Let the time pass."""
        time.sleep(timeout_s)
        return ()


class _Terminal:
    """The keyboard of a terminal that is in the right mode."""

    def __init__(self, file: int) -> None:
        self._file: Final = file

    def wait(self, timeout_s: float) -> Sequence[str]:
        """Return the keys that were pressed. Raises `EOFError` when the terminal is gone."""
        if not select.select([self._file], [], [], timeout_s)[0]:
            return ()
        read = os.read(self._file, _READ_BYTES)
        if not read:
            raise EOFError
        return list(keys_of(read.decode("utf-8", "replace")))


def keys_of(text: str) -> Iterator[str]:
    """Yield the keys that a terminal sent: a character each, or the name of a special one; others are left out."""
    at = 0
    while at < len(text):
        if text[at] != "\x1b":
            yield text[at]
            at += 1
            continue
        end = _sequence_end(text, at)
        if (key := _SEQUENCES.get(text[at:end])) is not None:
            yield key
        at = end


def _sequence_end(text: str, at: int) -> int:
    """Return where an escape sequence ends: after a letter or `~` behind `ESC [`, or one character behind `ESC O`."""
    if text[at + 1 : at + 2] != "[":
        return at + (3 if text[at + 1 : at + 2] == "O" else 1)
    end = at + 2
    while end < len(text) and not "@" <= text[end] <= "~":
        end += 1
    return end + 1


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Read keys from the terminal until the block ends, however it ends."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield NoKeyboard()
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    mode = termios.tcgetattr(file)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    # a shell that takes the terminal back in our midst would find it without echo, and on the other screen
    mode[6][termios.VSUSP] = os.fpathconf(file, "PC_VDISABLE").to_bytes(1, "little")
    termios.tcsetattr(file, termios.TCSADRAIN, mode)
    try:
        yield _Terminal(file)
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
