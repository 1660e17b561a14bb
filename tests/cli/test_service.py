"""`jairouter service`: the files that it writes, and what it tells the service managers."""

import json
import os
import plistlib
import shutil
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from jairouter_cli.cli.service import units
from jairouter_cli.cli.service.units import ServiceFile
from tests.process import config, run

# A systemctl that writes down what it is told, and says what is in files.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$SAID"
case "$*" in
  *is-active*) cat "$SAID.active" ;;
  *is-enabled*) echo enabled ;;
  *restart*) [ ! -e "$SAID.broken" ] || { echo "Job failed." >&2; exit 1; } ;;
esac
"""
PLAIN = "server: {port: 8080}\n"


class Desk:
    """A user with a configuration and a systemctl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = folder / "said"
        self.file = config(folder, PLAIN)
        tool = folder / "bin" / "systemctl"
        tool.parent.mkdir()
        tool.write_text(SYSTEMCTL)
        tool.chmod(0o755)
        self.put("active", "active")

    def put(self, ending: str, text: str) -> None:
        """Write what systemctl says."""
        self.said.with_name(f"said.{ending}").write_text(f"{text}\n")

    def service(self, *arguments: str) -> CompletedProcess[str]:
        """Run the command."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.folder), "XDG_CONFIG_HOME": "", "SAID": str(self.said)}
        return run("--config", str(self.file), "service", *arguments, env=env)

    @property
    def unit(self) -> Path:
        """Where the unit of the user goes."""
        return self.folder / ".config/systemd/user/jairouter.service"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return one."""
    return Desk(tmp_path)


def test_a_life_of_a_service(desk: Desk) -> None:
    """Installed twice, looked at, removed: systemd is told each time, and the unit runs this configuration."""
    for _ in range(2):
        done = desk.service("install", "--user")
        assert (done.returncode, done.stdout) == (0, f"installed and started {desk.unit}\n"), done.stderr
        assert "loginctl enable-linger" in done.stderr
    assert desk.said.read_text().split("\n")[-4:-1] == [
        "--user daemon-reload",
        "--user enable jairouter",
        "--user restart jairouter",
    ]
    assert f" serve --config {desk.file}\n" in desk.unit.read_text()
    told = json.loads(desk.service("status", "--user", "--json").stdout)
    assert told == {"file": str(desk.unit), "state": "active", "isEnabled": True, "isRunning": True}
    desk.put("active", "failed")
    assert desk.service("status", "--user").returncode == 1
    assert desk.service("uninstall", "--user").stdout == f"stopped and removed {desk.unit}\n"
    assert desk.said.read_text().split("\n")[-3:-1] == ["--user disable --now jairouter", "--user daemon-reload"]
    assert (desk.unit.exists(), desk.file.read_text()) == (False, PLAIN)
    assert desk.service("uninstall", "--user").stderr.startswith("error: the service is not installed")


def test_a_unit_of_somebody_else_is_left(desk: Desk) -> None:
    """It is neither overwritten nor removed."""
    desk.unit.parent.mkdir(parents=True)
    desk.unit.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall"):
        done = desk.service(command, "--user")
        assert (done.returncode, "was not written by this command" in done.stderr) == (2, True)
    assert desk.unit.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_manager_that_does_not_run(desk: Desk) -> None:
    """Nothing is written, and the error says how the file can be had."""
    desk.put("active", "offline")
    done = desk.service("install", "--user")
    assert (done.returncode, "systemd does not run here" in done.stderr, desk.unit.exists()) == (1, True, False)
    assert "service install --print" in done.stderr


def test_a_manager_that_refuses(desk: Desk) -> None:
    """What it said is the reason."""
    desk.put("broken", "")
    done = desk.service("install", "--user")
    assert (done.returncode, done.stderr.split("\n")[0]) == (
        1,
        "error: `systemctl --user restart jairouter` failed: Job failed.",
    )


def test_a_broken_configuration_is_not_installed(desk: Desk) -> None:
    """It would only fail again and again."""
    desk.file.write_text("server: {port: x}\n")
    assert (desk.service("install", "--user").returncode, desk.unit.exists()) == (2, False)


def test_root_is_not_needed(desk: Desk) -> None:
    """A system service runs as the owner of the file, who must not be root, or as another that is named."""
    named = desk.service("install", "--print", "--run-as", "daemon").stdout
    assert "\nUser=daemon\n" in named
    if desk.file.owner() == "root":
        done = desk.service("install", "--print")
        assert (done.returncode, "useradd --system" in done.stderr) == (2, True)
    else:
        assert f"\nUser={desk.file.owner()}\n" in desk.service("install", "--print").stdout


def test_what_a_system_service_may_do(desk: Desk) -> None:
    """Write where the configuration and its state are, and bind a port below 1024 if it has to."""
    desk.file.write_text("server: {port: 443, shutdown: {timeout: 90s}}\nstore: {state-dir: state}\n")
    text = desk.service("install", "--print", "--run-as", "daemon").stdout
    for line in (
        f"ReadWritePaths={desk.folder} {desk.folder}/state",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=jairouter",
        "TimeoutStopSec=105",
        f"EnvironmentFile=-{desk.folder}/jairouter.env",
    ):
        assert f"\n{line}\n" in text


def unit(folder: Path, user: str | None) -> ServiceFile:
    """Return a unit with characters that mean something to systemd."""
    return ServiceFile(["/bin/sh"], folder / "100% a b$c.yaml", [folder], 30, 443, user)


def test_characters_that_mean_something() -> None:
    """They are escaped, so that the command gets them as they are."""
    line = r'ExecStart=/bin/sh serve --config "/x/100%% a b$$c.yaml"'
    assert line in units.systemd(unit(Path("/x"), None)).split("\n")


@pytest.mark.skipif(
    not shutil.which("systemd-analyze") and "CI" not in os.environ, reason="there is no systemd-analyze"
)
@pytest.mark.parametrize("user", [None, "daemon"])
def test_systemd_understands_it(tmp_path: Path, user: str | None) -> None:
    """Without a complaint; and a service of the system is well confined."""
    file = tmp_path / "jairouter.service"
    file.write_text(units.systemd(unit(tmp_path, user)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    if user:
        command = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(file)]
        rated = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert rated.returncode == 0, rated.stdout


def test_launchd_understands_it(tmp_path: Path) -> None:
    """The property list says the same."""
    text = units.launchd(unit(tmp_path, "daemon"), "label", tmp_path / "log")
    found = plistlib.loads(text)
    assert units.MARK.encode() in text
    assert found["ProgramArguments"] == ["/bin/sh", "serve", "--config", str(tmp_path / "100% a b$c.yaml")]
    assert (found["UserName"], found["ExitTimeOut"], found["KeepAlive"]) == ("daemon", 45, {"SuccessfulExit": False})
