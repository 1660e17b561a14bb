"""Service files: a systemd unit and a launchd property list that run the gateway with few rights.

What each line of a unit means is in systemd.exec(5), systemd.service(5) and launchd.plist(5).
"""

import plistlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK: Final = "Written by `jairouter service install`; a later install overwrites it."

_SPARE_S: Final = 15  # beyond the time in which requests in flight may finish
_OPEN_FILES: Final = 65536  # two for each client
_PRIVILEGED: Final = 1024  # ports below it need a right
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))

# What needs no mount namespace, and so is there for the services of a user, too.
_ALWAYS: Final = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
UMask=0077
"""
_SYSTEM: Final = """\
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
SystemCallFilter=@system-service
"""


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """What a service file is made of: the command that runs, its configuration, and what it may write.

    `user` is None for a service of the user who installs it. `stop_s` is how long requests in flight may take.
    """

    command: Sequence[str]
    config: Path
    writable: Sequence[Path]
    stop_s: float
    port: int
    user: str | None = None

    @property
    def serve(self) -> list[str]:
        """The whole command line."""
        return [*self.command, "serve", "--config", str(self.config)]

    @property
    def variables(self) -> Path:
        """The file with environment variables that the configuration reads, next to it; it may be missing."""
        return self.config.with_suffix(".env")


def systemd(unit: ServiceFile) -> str:
    """Return a systemd unit."""
    wanted_by = "default.target" if unit.user is None else "multi-user.target"
    sandbox = _ALWAYS if unit.user is None else _ALWAYS + _SYSTEM + _rights(unit)
    user = "" if unit.user is None else f"User={unit.user}\n"
    return f"""\
# {MARK}
[Unit]
Description=JAiRouter AI gateway
Documentation=https://github.com/Lincoln-cn/JAiRouter
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
{user}ExecStart={" ".join(map(_quoted, unit.serve))}
EnvironmentFile=-{_escaped(str(unit.variables))}
Restart=on-failure
RestartSec=1
KillMode=mixed
TimeoutStopSec={round(unit.stop_s) + _SPARE_S}
LimitNOFILE={_OPEN_FILES}
StateDirectory=jairouter
StateDirectoryMode=0700

{sandbox}
[Install]
WantedBy={wanted_by}
"""


def _rights(unit: ServiceFile) -> str:
    """Return the lines that depend on the set-up: homes, folders it writes, a port below 1024."""
    places = (Path(unit.command[0]), unit.config, *unit.writable)
    in_homes = any(place.is_relative_to(home) for place in places for home in _HOMES)
    homes = f"ProtectHome={'read-only' if in_homes else 'yes'}\n"
    folders = f"ReadWritePaths={' '.join(_quoted(str(one)) for one in unit.writable)}\n" if unit.writable else ""
    binds = "CAP_NET_BIND_SERVICE" if 0 < unit.port < _PRIVILEGED else ""
    ambient = f"AmbientCapabilities={binds}\n" if binds else ""
    return f"{homes}{folders}CapabilityBoundingSet={binds}\n{ambient}"


def _quoted(text: str) -> str:
    """Return a word as systemd reads it."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if set(escaped) & set(" \t;'\"\\") else escaped


def _escaped(text: str) -> str:
    """Return a text without specifiers, which begin with a percent sign."""
    return text.replace("%", "%%")


def launchd(unit: ServiceFile, label: str, log: Path) -> bytes:
    """Return a launchd property list; the log is what the gateway writes to standard error."""
    content = {
        "Label": label,
        "ProgramArguments": unit.serve,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": round(unit.stop_s) + _SPARE_S,
        "StandardErrorPath": str(log),
        "SoftResourceLimits": {"NumberOfFiles": _OPEN_FILES},
        "Umask": 0o077,
    }
    if unit.user is not None:
        content["UserName"] = unit.user
    text = plistlib.dumps(content, sort_keys=False)
    return text.replace(b"<plist ", f"<!-- {MARK} -->\n<plist ".encode(), 1)
