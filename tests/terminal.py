"""A terminal in which a command runs."""

import os
import pty
import re
import signal
import subprocess
import termios
import threading


class Terminal:
    """A terminal in which a command runs, and what it shows."""

    def __init__(self, command: list[str], width: int, height: int, **environ: str) -> None:
        self._height = height
        self._text = ""
        self._main, self.terminal = pty.openpty()
        termios.tcsetwinsize(self.terminal, (height, width))
        self.before = termios.tcgetattr(self.terminal)
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environ}
        self.process = subprocess.Popen(
            command, stdin=self.terminal, stdout=self.terminal, stderr=self.terminal, env=env, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 65536)
            except OSError:  # the other end is closed
                return
            self._text += data.decode()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._main, keys.encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does in a terminal that controls the command."""
        self.process.send_signal(signal.SIGINT)

    def screen(self) -> list[str]:
        """Return the lines of the last whole screen; none before there was one."""
        for painted in reversed(self._text.split("\x1b[H")):
            lines = [line.rstrip() for line in re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", painted).split("\r\n")]
            if len(lines) == self._height:
                return lines
        return []

    def shows(self, words: str) -> bool:
        """Whether some words are on the screen."""
        return any(words in line for line in self.screen())

    @property
    def text(self) -> str:
        """All that was ever written, with its escapes."""
        return self._text

    def close(self) -> None:
        """Throw the terminal away."""
        os.close(self.terminal)
        self._reader.join()
        os.close(self._main)

    def end(self) -> int:
        """Wait for the command to end; return its exit code."""
        code = self.process.wait(20)
        assert termios.tcgetattr(self.terminal) == self.before, "the terminal is not as it was"
        return code
