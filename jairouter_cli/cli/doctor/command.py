"""`jairouter doctor`: examines the set-up and prints what it finds."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.doctor.examination import examine
from jairouter_cli.cli.doctor.finding import Finding, FindingStatus, worst
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError

FAILED: Final = 1  # the exit code

_COLOURS: Final = {FindingStatus.OK: "green", FindingStatus.WARNING: "yellow", FindingStatus.FAILED: "bold red"}
_INDENT: Final = 9
_SHOWN: Final = 8  # parts of one check that are well


def doctor(
    ctx: typer.Context,
    *,
    streams: Annotated[
        bool, typer.Option("--streams", help="Ask chat models for a short stream, which costs a few tokens.")
    ] = False,
    url: UrlOption = None,
    timeout: TimeoutOption = 4.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what is wrong with a set-up: the file, the machine, the port, the backends, and who can reach them.

    Each finding says why it matters and which command mends it. Nothing is changed. Backends are asked for their
    list of models, which costs no tokens.

    Exit codes: 0 nothing failed (there can be warnings), 1 something failed, 2 usage error.

    For example: jairouter doctor --url https://gateway.example --streams
    """
    setup, error = _setup(ctx, config)
    setup = Setup(setup.file, setup.loaded, setup.environ, setup.named, url, timeout, streams)
    findings = examine(setup, error)
    verdict = worst(findings)
    data = {
        "status": verdict.value,
        "findings": [
            {
                "check": one.check,
                "status": one.verdict.value,
                "found": one.found,
                "why": one.why or None,
                "fix": one.fix or None,
            }
            for one in findings
        ],
    }
    if as_json:
        output.print_json(data)
    else:
        output.stdout().print(_report(findings), soft_wrap=True)  # a command that is copied must be one line
    if verdict is FindingStatus.FAILED:
        raise typer.Exit(FAILED)


def _setup(ctx: typer.Context, config: Path | None) -> tuple[Setup, JAIRouterError | None]:
    """Read the configuration; an error is a finding, too."""
    named, file = options.named(ctx, config), None
    try:
        file = paths.find(named, os.environ, Path.cwd())
        return Setup(file, Store(file).read(), os.environ, named), None
    except JAIRouterError as error:
        return Setup(file, None, os.environ, named), error


def _report(findings: Sequence[Finding]) -> RenderableType:
    parts: list[RenderableType] = []
    for finding in _folded(findings):
        parts.append(Text.assemble((f"{finding.verdict:<{_INDENT}}", _COLOURS[finding.verdict]), finding.found))
        for name, text in ((_("why: "), finding.why), (_("fix: "), finding.fix)):
            if text:
                style = "bold" if text == finding.fix else ""
                parts.append(Text.assemble(" " * _INDENT, (name, "dim"), (text, style)))
    counts = Counter(one.verdict for one in findings)
    number = counts[FindingStatus.FAILED]
    failures = ngettext("{number} failure", "{number} failures", number).format(number=number)
    number = counts[FindingStatus.WARNING]
    warnings = ngettext("{number} warning", "{number} warnings", number).format(number=number)
    parts += ["", _("{failures}, {warnings}").format(failures=failures, warnings=warnings)]
    return Group(*parts)


def _folded(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the findings for a reader: of many that are well, the first ones and their number."""
    well = Counter(one.check for one in findings if one.verdict is FindingStatus.OK)
    seen: Counter[str] = Counter()
    for one in findings:
        if one.verdict is FindingStatus.OK:
            seen[one.check] += 1
            if seen[one.check] == _SHOWN and well[one.check] > _SHOWN:
                text = _("and {number} more ({check})").format(number=well[one.check] - _SHOWN + 1, check=one.check)
                yield Finding(one.check, FindingStatus.OK, text)
            if seen[one.check] >= _SHOWN and well[one.check] > _SHOWN:
                continue
        yield one
