"""Composes `RESULTS.md`: the machine, then one section for each program, which replaces its own only."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import peers
from proxies import HERE, nginx_program

SECTIONS = ("Load", "Paced streams", "How cost grows")
PACKAGES = ("jairouter", "granian", "litestar", "uvloop", "httptools", "msgspec")
# told by another Python about the gateway that it has: its version, the server's, and whether it is compiled
TELL = """
import importlib.metadata as m, importlib.util as u, pathlib, platform
folder = pathlib.Path(u.find_spec("jairouter_cli").origin).parent
form = "compiled" if any(folder.rglob("*.so")) else "pure"
print(f"jairouter {m.version('jairouter')} ({form}), granian {m.version('granian')}, Python {platform.python_version()}")
"""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows))


def now() -> str:
    """Return the date, and the revision that was measured."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=HERE, check=False
    )
    return f"{datetime.now(UTC):%Y-%m-%d}" + (f", revision {done.stdout.strip()}" if done.stdout else "")


def told(pythons: Mapping[str, str]) -> str:
    """Return what the other forms of the gateway are, as lines."""
    lines = []
    for name, python in pythons.items():
        done = subprocess.run([python, "-P", "-c", TELL], capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            raise SystemExit(f"{python} has no gateway: {done.stderr.strip()}")
        lines.append(f"\n`{name}`: {done.stdout.strip()}.")
    return "\n".join(lines)


def facts() -> str:
    """Return what was measured on, with versions."""
    cpu = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in cpu.splitlines() if line.startswith("model name")), "unknown")
    server = subprocess.run([nginx_program(), "-v"], capture_output=True, text=True, check=False).stderr
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    versions += [server.strip().replace("nginx version: nginx/", "nginx "), *peers.versions()]
    rows = [
        ["CPU", f"{model}, {os.cpu_count()} cores"],
        ["kernel", f"{platform.system()} {platform.release()}"],
        ["Python", f"{platform.python_version()} ({platform.python_implementation()})"],
        ["packages", ", ".join(versions)],
        ["last run", now()],
    ]
    return table(["", "machine"], rows)


def write(sections: Mapping[str, str]) -> None:
    """Replace the sections, and the facts; what other programs wrote stays."""
    file = HERE / "RESULTS.md"
    text = file.read_text() if file.exists() else ""
    kept = {}
    for part in text.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        kept[title] = body.strip()
    kept |= sections
    parts = [f"# Results\n\n{facts()}"]
    parts += [f"## {title}\n\n{kept[title].strip()}" for title in SECTIONS if title in kept]
    file.write_text("\n\n".join(parts) + "\n")
