"""The service managers of operating systems: where their files are, and how they are told of one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from jairouter_cli.cli import again
from jairouter_cli.cli.language import _
from jairouter_cli.cli.service import units
from jairouter_cli.cli.service.units import ServiceFile
from jairouter_cli.errors import ServiceManagerFailed, UsageError

_NAME: Final = "jairouter"
_PATIENCE_S: Final = 120.0  # to stop, it may wait for requests in flight


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What a manager says of the service: in one word as it says it, and whether it starts with the system."""

    word: str
    is_enabled: bool

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.word in {"active", "running"}


class Manager(Protocol):
    """A service manager, for the services of the system or of a user."""

    @property
    def file(self) -> Path:
        """Where the service file is."""

    def text(self, unit: ServiceFile) -> bytes:
        """Return the service file."""

    def start(self) -> None:
        """Start the service now and with the system. Raises `ServiceManagerFailed`."""

    def stop(self) -> None:
        """Stop it, and start it no more. Raises `ServiceManagerFailed`."""

    def forget(self) -> None:
        """Notice that the file is gone. Raises `ServiceManagerFailed`."""

    def state(self) -> ServiceState:
        """Return what it is doing. Raises `ServiceManagerFailed`."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """systemd, by `systemctl`."""

    is_of_user: bool

    @property
    def file(self) -> Path:
        """The unit."""
        if not self.is_of_user:
            return Path("/etc/systemd/system") / f"{_NAME}.service"
        folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(folder) / "systemd" / "user" / f"{_NAME}.service"

    def text(self, unit: ServiceFile) -> bytes:
        """Return the unit."""
        return units.systemd(unit).encode()

    def start(self) -> None:
        """Have it read its units again, then enable and restart ours: a new unit is to take effect."""
        self._told("daemon-reload")
        self._told("enable", _NAME)
        self._told("restart", _NAME)

    def stop(self) -> None:
        """Disable and stop it."""
        self._told("disable", "--now", _NAME)

    def forget(self) -> None:
        """Have it read its units again."""
        self._told("daemon-reload")

    def state(self) -> ServiceState:
        """Ask for the state; a unit that is not there is `inactive`."""
        active = self._asked("is-active", _NAME)
        if active in {"", "offline", "unknown"}:
            raise ServiceManagerFailed(command="systemctl", reason=_("systemd does not run here"))
        return ServiceState(active, self._asked("is-enabled", _NAME) == "enabled")

    def _told(self, *words: str) -> None:
        _run(self._command(words))

    def _asked(self, *words: str) -> str:
        return _run(self._command(words), may_fail=True).strip()

    def _command(self, words: Sequence[str]) -> list[str]:
        return ["systemctl", *(["--user"] if self.is_of_user else []), *words]


@dataclass(frozen=True, slots=True)
class Launchd:
    """launchd of macOS, by `launchctl`."""

    is_of_user: bool
    label: str = f"io.github.lincoln-cn.{_NAME}"

    @property
    def file(self) -> Path:
        """The property list."""
        folder = Path.home() / "Library/LaunchAgents" if self.is_of_user else Path("/Library/LaunchDaemons")
        return folder / f"{self.label}.plist"

    def text(self, unit: ServiceFile) -> bytes:
        """Return the property list."""
        logs = Path.home() / "Library/Logs" if self.is_of_user else Path("/Library/Logs")
        return units.launchd(unit, self.label, logs / f"{_NAME}.log")

    def start(self) -> None:
        """Load the file, in place of an earlier one."""
        _run(["launchctl", "bootout", f"{self._domain}/{self.label}"], may_fail=True)
        _run(["launchctl", "bootstrap", self._domain, str(self.file)])

    def stop(self) -> None:
        """Unload it."""
        _run(["launchctl", "bootout", f"{self._domain}/{self.label}"])

    def forget(self) -> None:
        """Do nothing: it reads files when they are loaded."""

    def state(self) -> ServiceState:
        """Ask for the state; a service that is not loaded is `inactive`."""
        said = _run(["launchctl", "print", f"{self._domain}/{self.label}"], may_fail=True)
        words = (line.partition(" = ")[2] for line in said.splitlines() if line.strip().startswith("state = "))
        word = next(words, "inactive")
        return ServiceState(word, is_enabled=word != "inactive")

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}" if self.is_of_user else "system"


def manager(*, is_of_user: bool) -> Manager:
    """Return the service manager of this system. Raises `UsageError` where there is none that we know."""
    if sys.platform == "darwin":
        return Launchd(is_of_user)
    if sys.platform.startswith("linux"):
        return Systemd(is_of_user)
    raise UsageError(message=_("only systemd and launchd are supported"), hint="run `jairouter serve` in another way")


def own_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return how this program is called from elsewhere: the installed command, one file, or a module of Python."""
    called = again.command()
    if called[1:2] != ["-m"]:
        return called
    beside = shutil.which(_NAME, path=str(Path(sys.executable).parent)) or shutil.which(_NAME, path=environ.get("PATH"))
    return [str(Path(beside).absolute())] if beside else called


def _run(command: Sequence[str], *, may_fail: bool = False) -> str:
    """Run a command to its end; return what it said. Raises `ServiceManagerFailed`."""
    shown = " ".join(command)
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE_S
        )
    except FileNotFoundError:
        raise ServiceManagerFailed(command=shown, reason=_("no such command")) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceManagerFailed(command=shown, reason=str(error)) from None
    if done.returncode and not may_fail:
        raise ServiceManagerFailed(command=shown, reason=done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout
