"""`jairouter usage`: reports token usage; reads the usage file, whether a gateway runs or not."""

import re
import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType

from jairouter_cli.cli import options, output
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.errors import UsageError

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN: Final = re.compile(r"(\d{1,6})([mhdw])")
_SOURCES: Final = ("measured", "estimated", "partial")
_COLUMNS: Final = ("REQUESTS", "FAILED", "INPUT", "OUTPUT", "TOKENS", "SHARE", "MEASURED", "ESTIMATED", "PARTIAL")
_MINUTE: Final = "%Y-%m-%d %H:%M"


class By(StrEnum):
    """What the rows of the report are grouped by."""

    MODEL = "model"
    INSTANCE = "instance"
    KEY = "key"
    SERVICE = "service"
    HOUR = "hour"
    DAY = "day"


def usage(
    ctx: typer.Context,
    *,
    since: Annotated[
        str,
        typer.Option(
            help="Start of the report: a span like 90m, 24h, 7d or 4w, or a time like 2026-11-01 or 2026-11-01T08:00.",
            metavar="TIME",
        ),
    ] = "7d",
    by: Annotated[By, typer.Option(help="Grouping of the rows.", case_sensitive=False)] = By.MODEL,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many tokens were used, and whether they were measured or estimated."""
    from jairouter_cli.observe import usage_file  # noqa: PLC0415 - it brings SQLite along

    now = time.time()
    start = _start(since, now)
    loaded = options.read(ctx, config)
    path = usage_file.place(loaded.file, loaded.config.usage.file, loaded.config.store.state_dir)
    column = By.HOUR if by is By.DAY else by
    rows = usage_file.accounts(path, column.value, start)
    if column is By.HOUR:
        rows = usage_file.grouped(rows, "%Y-%m-%d" if by is By.DAY else _MINUTE)
    data = {
        "file": str(path),
        "since": datetime.fromtimestamp(start - start % usage_file.HOUR_S).astimezone().isoformat(),
        "by": by.value,
        "total": _view(usage_file.total(rows)),
        "rows": [{by.value: row.name, **_view(row)} for row in rows],
    }
    if not loaded.config.usage.enabled:
        output.warn(_("usage.enabled is false: new requests are not counted"))
    output.show(data, as_json=as_json, text=lambda: _text(data))


def _start(since: str, now: float) -> float:
    """Return the time that is meant. Raises `UsageError`."""
    if match := _SPAN.fullmatch(since.strip().lower()):
        return max(0.0, now - int(match[1]) * _UNITS[match[2]])
    try:
        start = datetime.fromisoformat(since.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        message = _("--since: expected a span or a time, found '{found}'").format(found=since)
        raise UsageError(message=message, hint="for example 24h, 7d, 2026-11-01 or 2026-11-01T08:00") from None
    if start > now:
        raise UsageError(message=_("--since: {time} is in the future").format(time=since))
    return start


def _view(account: Any) -> dict[str, Any]:
    """Return an `Account` as it is shown."""
    amounts = account.amounts
    return {
        "requests": amounts.requests,
        "failures": amounts.failures,
        "inputTokens": amounts.input_tokens,
        "outputTokens": amounts.output_tokens,
        "totalTokens": amounts.tokens,
        "bySource": {source: account.by_source.get(source, 0) for source in _SOURCES},
    }


def _text(data: dict[str, Any]) -> RenderableType:
    since = datetime.fromisoformat(data["since"]).strftime(_MINUTE)
    rows, whole, by = data["rows"], data["total"], data["by"]
    if not rows:
        return _("no usage since {time}; the gateway records it in {file}").format(time=since, file=data["file"])
    shown = [_row(row[by] or "-", row, whole) for row in rows]
    columns = [_(name) for name in (by.upper(), *_COLUMNS)]
    table = output.table(columns, [*shown, _row(_("total"), whole, whole)])
    return Group(_("usage since {time}").format(time=since), table)


def _row(name: str, one: dict[str, Any], whole: dict[str, Any]) -> tuple[object, ...]:
    numbers = (one[key] for key in ("requests", "failures", "inputTokens", "outputTokens", "totalTokens"))
    sources = (_percent(one["bySource"][source], one["totalTokens"]) for source in _SOURCES)
    return (name, *(f"{number:,}" for number in numbers), _percent(one["totalTokens"], whole["totalTokens"]), *sources)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
