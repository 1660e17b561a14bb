"""The entry point of the command `jairouter`: turns errors and failing output into messages and exit codes.

Nothing heavy is imported before `main`, so that Ctrl-C never shows a traceback.
"""

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import Any, Final

_COMPLETE: Final = "__complete"  # the scripts of `jairouter completion` run it
_INTERRUPTED: Final = 128 + signal.SIGINT
_MISUSED: Final = 2
# What writing to a pipe that was closed, to a full disk and the like ends with.
_OUTPUT_FAILED: Final = frozenset(
    {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.ENXIO}
)


def main() -> None:
    """Run the command line."""
    code: int | str | None = _INTERRUPTED
    try:
        if getattr(sys, "frozen", False):  # a binary of PyInstaller is started for its workers as well
            from multiprocessing import freeze_support  # noqa: PLC0415 - only there

            freeze_support()
        _prepare_streams()
        code = _run()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left takes no time
    sys.exit(_flushed(code))


def _run() -> int | str | None:
    """Run the command; return its exit code."""
    from jairouter_cli.errors import JAIRouterError  # noqa: PLC0415 - it is what takes time

    try:
        if any(map(_is_no_text, sys.argv)):
            return _refused()
        from jairouter_cli.cli.commands import app  # noqa: PLC0415 - it is what takes time
        from jairouter_cli.cli.language import prepare  # noqa: PLC0415

        prepare()
        code = _completed(app) if sys.argv[1:2] == [_COMPLETE] else app(prog_name="jairouter")
    except JAIRouterError as error:
        from jairouter_cli.cli import output  # noqa: PLC0415 - it takes time, and few commands fail

        output.fail(error)
        return error.exit_code
    except SystemExit as end:
        return end.code
    except OSError as error:
        if error.errno not in _OUTPUT_FAILED:
            raise
        return _failed(error)
    return code if isinstance(code, int) else 0


def _completed(app: Any) -> int:
    """Print what the word that is typed in a shell may become."""
    import typer  # noqa: PLC0415 - loaded by now

    from jairouter_cli.cli.completion.reply import reply  # noqa: PLC0415 - it takes time, and shells alone need it

    sys.stdout.write(reply(typer.main.get_command(app), sys.argv[2:]))
    return 0


def _prepare_streams() -> None:
    """Make output survive letters that its encoding has not, and streams that were closed before we began."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until the end
        elif hasattr(stream, "reconfigure"):
            with suppress(OSError):  # one that has become another since the process began
                stream.reconfigure(errors="backslashreplace")


def _is_no_text(argument: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in argument)


def _refused() -> int:
    """Refuse arguments that are bytes without a meaning in the locale."""
    wrong = next(filter(_is_no_text, sys.argv))
    encoding = sys.getfilesystemencoding()
    sys.stderr.write(f"error: the argument {os.fsencode(wrong)!r} is not text in {encoding}\n")
    if encoding.lower().replace("-", "") != "utf8":
        sys.stderr.write("\nhint: set LC_ALL=C.UTF-8, or PYTHONUTF8=1\n")
    return _MISUSED


def _flushed(code: int | str | None) -> int | str | None:
    """Write out what is left; a reader that has gone, or a full disk, is no traceback at the very end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _failed(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's own flush
    except ValueError:  # closed meanwhile
        pass
    return code


def _failed(error: OSError) -> int:
    """Say why the output could not be written, unless its reader has gone on purpose."""
    if error.errno != errno.EPIPE:
        try:
            sys.stderr.write(f"error: cannot write the output: {error.strerror}\n")
            sys.stderr.flush()
        except OSError:
            pass
    return 1
