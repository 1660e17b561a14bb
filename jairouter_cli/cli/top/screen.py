"""Renders the screen of `jairouter top`: a header, a row for each instance, and the keys. Pure: no I/O, no clock.

A narrow screen has fewer columns and shorter names; lines are never wrapped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.cli.top import keyboard
from jairouter_cli.cli.top.rates import InstanceRow, View

_NAME: Final = "INSTANCE"
_LEAST_NAME: Final = 14  # columns of a name; narrower than that, something else has to go
_ESSENTIAL: Final = 9  # columns of the table below that stay as long as there is room for the least of a name

_ELLIPSIS: Final = "…"
_STATES: Final = {"UP": "up", "FAILING": "fail", "UNKNOWN": "?", "DRAINING": "drain", "DISABLED": "off"}
_BREAKERS: Final = {"CLOSED": "closed", "HALF_OPEN": "half"}
_STYLES: Final = {"DOWN": "red", "OPEN": "red", "half": "yellow", "fail": "yellow", "drain": "yellow", "up": "green"}


class Sort(StrEnum):
    """What instances are sorted by."""

    REQUESTS = "requests"
    ERRORS = "errors"
    IN_FLIGHT = "in-flight"
    FIRST_TOKEN = "first-token"  # noqa: S105 - no password
    TOKENS = "tokens"
    NAME = "name"


_SORT_WORDS: Final[Mapping[Sort, str]] = {
    Sort.REQUESTS: "req",
    Sort.ERRORS: "err",
    Sort.IN_FLIGHT: "flight",
    Sort.FIRST_TOKEN: "token",
    Sort.TOKENS: "out",
    Sort.NAME: "name",
}
_SORT_KEYS: Final[Mapping[str, Sort]] = {word[0]: sort for sort, word in _SORT_WORDS.items()}
_SIZES: Final[Mapping[Sort, Callable[[InstanceRow], float | None]]] = {
    Sort.REQUESTS: lambda row: row.requests_per_s,
    Sort.ERRORS: lambda row: row.errors_per_s,
    Sort.IN_FLIGHT: lambda row: row.in_flight,
    Sort.FIRST_TOKEN: lambda row: row.first_token_p95_s,
    Sort.TOKENS: lambda row: row.output_tokens_per_s,
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the user has chosen: the order of the instances, the first one shown, and whether the screen is paused."""

    sort: Sort = Sort.REQUESTS
    is_reversed: bool = False
    first: int = 0
    is_paused: bool = False

    def press(self, key: str, page: int) -> "Look":
        """Return the look after a key; `page` is how many instances are seen at once."""
        key = key.lower() if len(key) == 1 else key
        if key in _SORT_KEYS:
            return replace(self, sort=_SORT_KEYS[key], is_reversed=False, first=0)
        steps = {keyboard.UP: -1, keyboard.DOWN: 1, keyboard.PAGE_UP: -page, keyboard.PAGE_DOWN: page, "k": -1, "j": 1}
        if key in steps:
            return replace(self, first=max(0, self.first + steps[key]))
        if key in {keyboard.HOME, keyboard.END}:
            return replace(self, first=0 if key == keyboard.HOME else _FAR)
        if key == "i":
            return replace(self, is_reversed=not self.is_reversed)
        if key in {"p", " "}:
            return replace(self, is_paused=not self.is_paused)
        return self

    def bounded(self, rows: int, page: int) -> "Look":
        """Return the look that does not go beyond the last of some rows."""
        return replace(self, first=max(0, min(self.first, rows - page)))


_FAR: Final = 1 << 30


class Saying(NamedTuple):
    """What the header shows besides numbers: the gateway's address and the time.

    `trouble` is why there is no new data, if so; `other` that the gateway uses another configuration than the reader's.
    """

    url: str
    time: str
    trouble: str = ""
    has_keys: bool = True
    other: str = ""


def ordered(rows: Sequence[InstanceRow], look: Look) -> list[InstanceRow]:
    """Return instances, the largest first; what is not known comes last, and equals go by name."""
    by_name = sorted(
        rows, key=lambda row: (_model(row.id), row.id, row.service), reverse=look.sort is Sort.NAME and look.is_reversed
    )
    size = _SIZES.get(look.sort)
    if size is None:
        return by_name
    known = sorted(
        (row for row in by_name if size(row) is not None),
        key=lambda row: size(row) or 0.0,
        reverse=not look.is_reversed,
    )
    return [*known, *(row for row in by_name if size(row) is None)]


# --- numbers ---


def number(value: float | None) -> str:
    """Return a number in five characters at most."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    for decimals, end in ((2, 9.995), (1, 99.95), (0, 99_999.5)):
        if value < end:
            return f"{value:.{decimals}f}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < size * 999.5 or unit == "G":
            return f"{value / size:.0f}{unit}"
    raise AssertionError(value)


def duration(value_s: float | None) -> str:
    """Return a duration in five characters at most."""
    if value_s is None:
        return "-"
    if value_s < 0.0005:  # noqa: PLR2004 - what would be 0ms
        return "<1ms"
    if value_s < 0.9995:  # noqa: PLR2004 - what would be 1000ms
        return f"{value_s * 1000:.0f}ms"
    return f"{value_s:.2f}s" if value_s < 9.995 else f"{value_s:.1f}s" if value_s < 99.95 else f"{value_s:.0f}s"  # noqa: PLR2004 - as above


def percent(share: float | None) -> str:
    """Return a share in five characters at most."""
    if share is None:
        return "-"
    return f"{share * 100:.1f}%" if 0 < share < 0.9995 else f"{share * 100:.0f}%"  # noqa: PLR2004 - what would be 100.0%


_FLIGHT_WIDTH: Final = 7


def _flight(row: InstanceRow) -> str:
    if row.slots is None:
        return str(row.in_flight)
    taken = f"{row.in_flight}/{row.slots.limit}"
    if not row.slots.waiting:
        return taken
    whole = f"{taken}+{row.slots.waiting}"
    return whole if len(whole) <= _FLIGHT_WIDTH else f"{taken}+"


def _slots(row: InstanceRow) -> str:
    return "-" if row.slots is None else f"{row.slots.taken}/{row.slots.limit}"


class _Column(NamedTuple):
    title: str
    width: int
    shown: Callable[[InstanceRow], str]
    left: bool = False


# In their order of importance; those behind the first `_ESSENTIAL` are for screens where names are whole.
_COLUMNS: Final = (
    _Column("HEALTH", 6, lambda row: _STATES.get(row.state, row.state), left=True),
    _Column("BREAKER", 7, lambda row: _BREAKERS.get(row.breaker or "-", row.breaker or "-"), left=True),
    _Column("REQ/S", 6, lambda row: number(row.requests_per_s)),
    _Column("ERR/S", 5, lambda row: number(row.errors_per_s)),
    _Column("FLIGHT", _FLIGHT_WIDTH, _flight),
    _Column("FT50", 5, lambda row: duration(row.first_token_p50_s)),
    _Column("FT95", 5, lambda row: duration(row.first_token_p95_s)),
    _Column("TOKIN", 5, lambda row: number(row.input_tokens_per_s)),
    _Column("TOKOUT", 6, lambda row: number(row.output_tokens_per_s)),
    _Column("SERVICE", 9, lambda row: row.service, left=True),
    _Column("LATENCY", 7, lambda row: duration(row.latency_s)),
    _Column("ERR%", 5, lambda row: percent(row.error_share)),
    _Column("SLOTS", 7, _slots),
    _Column("WAIT", 4, lambda row: "-" if row.slots is None else str(row.slots.waiting)),
)


# --- names ---


def names(rows: Sequence[InstanceRow], width: int) -> dict[str, str]:
    """Return what instances are called, by id, on so many columns.

    `model@host:port`; where that is too long the model goes without the folder that hubs put before it, then without
    the place if no other instance has the model, and then the middle is left out.
    """
    models = Counter(_model(row.id) for row in {row.id: row for row in rows}.values())
    return {row.id: _name(row.id, width, is_unique=models[_model(row.id)] == 1) for row in rows}


def _model(instance: str) -> str:
    return instance.rpartition("@")[0]


def _whole(instance: str) -> str:
    model, _, place = instance.rpartition("@")
    return f"{model}@{place.partition('://')[2] or place}"


def _name(instance: str, width: int, *, is_unique: bool) -> str:
    whole = _whole(instance)
    model, _, place = whole.rpartition("@")
    short = model.rpartition("/")[2] or model
    alone: tuple[str, ...] = (model, short) if is_unique else ()
    for candidate in (whole, f"{short}@{place}", *alone):
        if cell_len(candidate) <= width:
            return candidate
    return _middle_out(short if is_unique else f"{short}@{place}", width)


def _middle_out(text: str, width: int) -> str:
    """Return the beginning and the end of a text: the end tells ports and sizes of models apart."""
    end = text
    tail = (width - 1) // 2
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, width - 1 - cell_len(end)).rstrip() + _ELLIPSIS + end


# --- lines ---


def columns(rows: Sequence[InstanceRow], width: int) -> tuple[int, tuple[_Column, ...]]:
    """Return how wide names are on a screen, and which columns there are beside them."""
    ideal = max((cell_len(_whole(row.id)) for row in rows), default=0)
    left, shown = width, []
    for place, column in enumerate(_COLUMNS):
        least = _LEAST_NAME if place < _ESSENTIAL else max(ideal, len(_NAME))
        if left - column.width - 1 < least:
            break
        left -= column.width + 1
        shown.append(column)
    return (min(left, max(ideal, len(_NAME)))), tuple(shown)


def table(rows: Sequence[InstanceRow], width: int, names_of: Sequence[InstanceRow] | None = None) -> list[Text]:
    """Return the titles, and a line for each of some rows; names are shortened as the whole of `names_of` needs it."""
    everyone = rows if names_of is None else names_of
    name_width, shown = columns(everyone, width)
    called = names(everyone, name_width)
    titles = [set_cell_size(_NAME, name_width), *(_cell(column, column.title) for column in shown)]
    lines = [Text(" ".join(titles).rstrip(), style="bold")]
    for row in rows:
        line = Text(set_cell_size(called[row.id], name_width))
        for column in shown:
            said = column.shown(row)
            line.append(" ").append(_cell(column, said), style=_STYLES.get(said, ""))
        line.rstrip()
        lines.append(line)
    return lines


def _cell(column: _Column, text: str) -> str:
    return set_cell_size(text if column.left else text.rjust(column.width), column.width)


def header(view: View, saying: Saying, width: int) -> list[Text]:
    """Return what holds for the whole gateway."""
    workers = ngettext("{number} worker, revision {revision}", "{number} workers, revision {revision}", view.workers)
    running = workers.format(number=view.workers, revision=view.config_revision or "-")
    title = Text.assemble(("jairouter top", "bold"), f"  {saying.url}  {running}")
    title.append(saying.time.rjust(max(len(saying.time) + 2, width - title.cell_len)))
    lines = [title, *totals(view)]
    return [*lines, *(Text(line, style="yellow") for line in _troubles(view, saying))]


def totals(view: View) -> list[Text]:
    """Return what the whole gateway does."""
    waiting = _(", {number} waiting").format(number=view.waiting) if view.waiting else ""
    requests = _("{rate} requests/s  {number} in flight{waiting}  p50 {p50}  p95 {p95}")
    errors = _("errors {share}  429 {rate}/s  tokens/s {read} in, {written} out")
    return [
        Text(
            requests.format(
                rate=number(view.requests_per_s),
                number=view.in_flight,
                waiting=waiting,
                p50=duration(view.latency_p50_s),
                p95=duration(view.latency_p95_s),
            )
        ),
        Text(
            errors.format(
                share=percent(view.error_share),
                rate=number(view.rejected_per_s),
                read=number(view.input_tokens_per_s),
                written=number(view.output_tokens_per_s),
            )
        ),
        Text(_("instances: {states}").format(states=_instances(view))),
    ]


def _instances(view: View) -> str:
    states = Counter(_STATES.get(row.state, row.state) for row in view.instances)
    states[_("breaker open")] = sum(row.breaker == "OPEN" for row in view.instances)
    return ", ".join(f"{number} {state}" for state, number in states.items() if number) or _("none")


def _troubles(view: View, saying: Saying) -> Iterator[str]:
    yield from filter(None, (saying.trouble, saying.other))
    if view.config_error:
        yield _("the configuration file was rejected: ") + " ".join(view.config_error.split())
    if view.workers_behind:
        yield _("workers with another configuration: {number}").format(number=view.workers_behind)
    if not view.is_counting:
        yield _("monitoring.metrics.enabled is false: no totals, no tokens, no first tokens")


def _footer(look: Look, seen: int, total: int, *, has_keys: bool) -> Text:
    """Return the keys; what holds now is in capitals."""
    first, last = look.first + 1, look.first + seen
    parts = [_("{first}-{last} of {total}").format(first=first, last=last, total=total)] if seen < total else []
    reverse = _("i REVERSE") if look.is_reversed else _("i reverse")
    parts += [_("q quit"), _("p pause"), reverse] if has_keys else [_("Ctrl-C quit")]
    words = (word.upper() if sort is look.sort else word for sort, word in _SORT_WORDS.items())
    return Text("  ".join([*parts, _("sort: {keys}").format(keys=" ".join(words))]))


class Frame(NamedTuple):
    """A screen: its lines, the look that they show, and how many instances there is room for at once."""

    lines: list[Text]
    look: Look
    page: int


def frame(view: View, look: Look, saying: Saying, width: int, height: int) -> Frame:
    """Return a screen: no more lines than its height, none wider than its width."""
    head = header(view, saying, width)
    if look.is_paused:
        head.append(Text(_("PAUSED; press p to resume"), style="bold"))
    page = max(1, height - len(head) - 3)  # an empty line, the titles, the footer
    look = look.bounded(len(view.instances), page)
    rows = ordered(view.instances, look)
    seen = rows[look.first : look.first + page]
    none = _("no instances; add those of a backend with `jairouter instances add URL`")
    body = table(seen, width, rows) if rows else [Text(none)]
    filling = [Text()] * max(0, height - len(head) - len(body) - 2)
    footer = _footer(look, len(seen), len(rows), has_keys=saying.has_keys)
    lines = [*head, Text(), *body, *filling, footer][:height]
    for line in lines:
        line.truncate(width)
    return Frame(lines, look, page)
