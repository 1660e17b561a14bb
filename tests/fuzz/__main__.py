"""`scripts/fuzz`: searches for inputs that break a parser, guided by coverage, a process for each target."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path("build/fuzz")
# A parser that needs this long for a few kilobytes is one that hangs.
_SLOW_S: Final = 5
_MOST_BYTES: Final = 8192


def main() -> int:
    """Fuzz the targets that are named, or all; return 1 if any of them broke."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - the child imports it under instrumentation

    options = argparse.ArgumentParser(prog="fuzz", description="Search for inputs that break a parser.")
    options.add_argument("--seconds", type=int, default=60, help="time per target (default: 60)")
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)} (default: all)")
    chosen = options.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        options.error(f"no such target: {', '.join(sorted(unknown))}")
    broken = [name for name in chosen.targets or TARGETS if not _survives(name, chosen.seconds)]
    _say(f"broken: {', '.join(broken)}" if broken else "no target broke")
    return 1 if broken else 0


def _survives(name: str, seconds: int) -> bool:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - as above

    corpus, found = FOLDER / "corpus" / name, FOLDER / "found" / name
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={_SLOW_S}", f"-max_len={_MOST_BYTES}", "-rss_limit_mb=2048"]
    child = [sys.executable, "-m", "tests.fuzz.child", name, str(corpus), f"-artifact_prefix={found}/"]
    log = FOLDER / f"{name}.log"
    with log.open("wb") as output:
        status = subprocess.run([*child, *limits], stdout=output, stderr=output, check=False).returncode
    runs = next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.startswith("#")), "")
    _say(f"{name}: {f'broken, see {log}' if status else 'survives'} {runs[:60]}")
    return status == 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
