"""The screens of `jairouter top`, whole; and what keys do to them."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from jairouter_cli.cli.top import keyboard
from jairouter_cli.cli.top.rates import InstanceRow, SlotsNow, View
from jairouter_cli.cli.top.screen import Look, Saying, Sort, duration, frame, names, number, ordered, percent

SAYING = Saying("http://127.0.0.1:8080", "12:03:04")


def row(name: str, **given: Any) -> InstanceRow:
    """Return an instance about which nothing is known but what is given."""
    return InstanceRow(
        **{
            "service": "chat",
            "id": name,
            "state": "UP",
            "breaker": None,
            "requests_per_s": None,
            "errors_per_s": None,
            "error_share": None,
            "input_tokens_per_s": None,
            "output_tokens_per_s": None,
            "in_flight": 0,
            "slots": None,
            "first_token_p50_s": None,
            "first_token_p95_s": None,
            "latency_s": None,
            **given,
        }
    )


QWEN = "Qwen/Qwen2.5-7B-Instruct"
ROWS = (
    row(
        f"{QWEN}@http://10.0.0.7:8000",
        breaker="CLOSED",
        requests_per_s=12.25,
        errors_per_s=0.0,
        error_share=0.0,
        input_tokens_per_s=1234.0,
        output_tokens_per_s=123456.0,
        in_flight=8,
        slots=SlotsNow(limit=8, taken=8, waiting=12),
        first_token_p50_s=0.25,
        first_token_p95_s=1.5,
        latency_s=0.245,
    ),
    row(
        f"{QWEN}@http://10.0.0.8:8000",
        state="DOWN",
        breaker="OPEN",
        requests_per_s=3.5,
        errors_per_s=3.5,
        error_share=0.123,
        input_tokens_per_s=0.0,
        output_tokens_per_s=0.05,
        slots=SlotsNow(limit=8, taken=0, waiting=0),
        first_token_p50_s=12.5,
        first_token_p95_s=60.0,
    ),
    row("通义千问-非常长的模型名称@https://models.example.org", state="UNKNOWN", breaker="HALF_OPEN", in_flight=1),
    row("bge-m3@http://10.0.0.9:8000", service="embedding", requests_per_s=150.0, errors_per_s=0.0, error_share=0.0),
    row("old@http://10.0.0.9:8001", service="embedding", state="DRAINING", in_flight=2),
)
VIEW = View(
    workers=2,
    workers_behind=0,
    config_revision=7,
    config_error=None,
    is_counting=True,
    requests_per_s=165.75,
    rejected_per_s=0.5,
    error_share=0.0123,
    latency_p50_s=0.3,
    latency_p95_s=2.345,
    input_tokens_per_s=1234.0,
    output_tokens_per_s=123456.0,
    in_flight=11,
    waiting=12,
    draining=1,
    instances=ROWS,
)

NARROW = """\
jairouter top  http://127.0.0.1:8080  2 workers, revision 7             12:03:04
166 requests/s  11 in flight, 12 waiting  p50 300ms  p95 2.35s
errors 1.2%  429 0.50/s  tokens/s 1234 in, 123k out
instances: 2 up, 1 DOWN, 1 ?, 1 drain, 1 breaker open

INSTANCE            HEALTH BREAKER  REQ/S ERR/S  FLIGHT  FT50  FT95 TOKIN TOKOUT
bge-m3              up     -          150     0       0     -     -     -      -
Qwen2.5-7….0.7:8000 up     closed    12.2     0  8/8+12 250ms 1.50s  1234   123k
Qwen2.5-7….0.8:8000 DOWN   OPEN      3.50  3.50     0/8 12.5s 60.0s     0   0.05
old@10.0.0.9:8001   drain  -            -     -       2     -     -     -      -
通义千问-…模型名称  ?      half         -     -       1     -     -     -      -












q quit  p pause  i reverse  sort: REQ err flight token out name
"""
WIDE = """\
jairouter top  http://127.0.0.1:8080  2 workers, revision 7                                                     12:03:04
166 requests/s  11 in flight, 12 waiting  p50 300ms  p95 2.35s
errors 1.2%  429 0.50/s  tokens/s 1234 in, 123k out
instances: 2 up, 1 DOWN, 1 ?, 1 drain, 1 breaker open

INSTANCE                                     HEALTH BREAKER  REQ/S ERR/S  FLIGHT  FT50  FT95 TOKIN TOKOUT SERVICE
Qwen/Qwen2.5-7B-Instruct@10.0.0.7:8000       up     closed    12.2     0  8/8+12 250ms 1.50s  1234   123k chat
Qwen/Qwen2.5-7B-Instruct@10.0.0.8:8000       DOWN   OPEN      3.50  3.50     0/8 12.5s 60.0s     0   0.05 chat
bge-m3@10.0.0.9:8000                         up     -          150     0       0     -     -     -      - embedding
old@10.0.0.9:8001                            drain  -            -     -       2     -     -     -      - embedding
通义千问-非常长的模型名称@models.example.org ?      half         -     -       1     -     -     -      - chat




























q quit  p pause  i reverse  sort: req err flight token out NAME
"""
TROUBLED = """\
jairouter top  http://127.0.0.1:8080  2 workers, revision 7  12:03
166 requests/s  11 in flight, 12 waiting  p50 300ms  p95 2.35s
errors 1.2%  429 0.50/s  tokens/s 1234 in, 123k out
instances: 30 up
no new data since 12:03:04; retrying: refused
the configuration file was rejected: line 3: no such key
workers with another configuration: 1
monitoring.metrics.enabled is false: no totals, no tokens, no firs
PAUSED; press p to resume

INSTANCE         HEALTH BREAKER  REQ/S ERR/S  FLIGHT  FT50  FT95
m@10.0.0.28:8000 up     -            -     -       0     -     -
m@10.0.0.29:8000 up     -            -     -       0     -     -
29-30 of 30  Ctrl-C quit  sort: REQ err flight token out name
"""


def shown(view: View, look: Look, saying: Saying, width: int, height: int) -> str:
    """Return a screen as text; it must fill the height and keep to the width."""
    lines = [line.plain for line in frame(view, look, saying, width, height).lines]
    assert len(lines) == height
    assert max(map(cell_len, lines)) <= width
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_a_terminal_of_80_by_24() -> None:
    """What is needed, names shortened; the largest first, what is not known last."""
    assert shown(VIEW, Look(), SAYING, 80, 24) == NARROW


def test_a_wide_terminal() -> None:
    """Whole names, and more columns."""
    assert shown(VIEW, Look(Sort.NAME), SAYING, 120, 40) == WIDE


def test_troubles_and_more_instances_than_lines() -> None:
    """What is wrong stands above, how many there are below; without keys nothing is said of them."""
    view = msgspec.structs.replace(
        VIEW,
        config_error="line 3:\n  no such key",
        workers_behind=1,
        is_counting=False,
        instances=tuple(row(f"m@http://10.0.0.{n:02}:8000") for n in range(30)),
    )
    saying = SAYING._replace(trouble="no new data since 12:03:04; retrying: refused", has_keys=False)
    assert shown(view, Look(is_paused=True, first=99), saying, 66, 14) == TROUBLED
    footer = shown(view, Look(Sort.FIRST_TOKEN, is_reversed=True, first=12), SAYING, 80, 24).splitlines()[-1]
    assert footer == "13-26 of 30  q quit  p pause  i REVERSE  sort: req err flight TOKEN out name"


def test_without_instances() -> None:
    """What to do about it."""
    view = msgspec.structs.replace(VIEW, instances=(), draining=0)
    assert "jairouter instances add" in shown(view, Look(), SAYING, 80, 24)


@pytest.mark.parametrize("width", range(1, 200, 7))
def test_every_size_has_a_screen(width: int) -> None:
    """However small: nothing is wider, nothing higher, nothing breaks."""
    for height in (1, 2, 5, 6, 8, 50):
        lines = frame(VIEW, Look(), SAYING, width, height).lines
        assert len(lines) == height
        assert max(line.cell_len for line in lines) <= width


def test_keys_change_the_look() -> None:
    """And unknown ones do not."""
    look = Look(first=5)
    assert look.press("e", 10) == Look(Sort.ERRORS)
    assert look.press("N", 10) == Look(Sort.NAME)
    assert [look.press(key, 10).sort for key in "refton"] == list(Sort)
    assert look.press("i", 10) == replace(look, is_reversed=True)
    assert look.press("p", 10).press(" ", 10) == look
    steps = {
        keyboard.UP: 4,
        "k": 4,
        keyboard.DOWN: 6,
        "j": 6,
        keyboard.PAGE_UP: 0,
        keyboard.PAGE_DOWN: 15,
        keyboard.HOME: 0,
    }
    assert {key: look.press(key, 10).first for key in steps} == steps
    assert look.press(keyboard.END, 10).bounded(30, 10) == Look(first=20)
    assert look.press(keyboard.END, 10).bounded(3, 10) == Look(first=0)
    assert look.press("x", 10) == look


@pytest.mark.parametrize(
    ("look", "order"),
    [
        (Look(), ["b", "a", "c", "d"]),
        (Look(is_reversed=True), ["c", "a", "b", "d"]),
        (Look(Sort.IN_FLIGHT), ["d", "a", "b", "c"]),
        (Look(Sort.FIRST_TOKEN), ["a", "b", "c", "d"]),
        (Look(Sort.NAME), ["a", "b", "c", "d"]),
        (Look(Sort.NAME, is_reversed=True), ["d", "c", "b", "a"]),
    ],
)
def test_order(look: Look, order: list[str]) -> None:
    """Equals go by name, and what is not known comes last either way."""
    rows = [
        row("d@http://h", in_flight=1),
        row("c@http://h", requests_per_s=0.0),
        row("b@http://h", requests_per_s=2.0),
        row("a@http://h", requests_per_s=1.0, first_token_p95_s=1.0),
    ]
    assert [one.id[0] for one in ordered(rows, look)] == order


def test_names() -> None:
    """As much as fits, and what tells one from the others."""
    both = [row("org/model-70b@http://10.0.0.7:8000"), row("org/model-70b@http://10.0.0.8:8000")]
    assert list(names(both, 40).values()) == ["org/model-70b@10.0.0.7:8000", "org/model-70b@10.0.0.8:8000"]
    assert list(names(both, 24).values()) == ["model-70b@10.0.0.7:8000", "model-70b@10.0.0.8:8000"]
    assert list(names(both, 20).values()) == ["model-70b@….0.7:8000", "model-70b@….0.8:8000"]
    assert [list(names(both[:1], width).values()) for width in (27, 23, 13, 9, 8)] == [
        ["org/model-70b@10.0.0.7:8000"],
        ["model-70b@10.0.0.7:8000"],
        ["org/model-70b"],
        ["model-70b"],
        ["mode…70b"],
    ]


def test_numbers() -> None:
    """Short, and never longer than their column."""
    values = (None, 0, 0.004, 9.99, 12.34, 99.96, 12345.4, 99_999.6, 1_234_567, 1e12)
    assert [number(value) for value in values] == [
        *("-", "0", "0.00", "9.99", "12.3", "100", "12345", "100k", "1M", "1000G"),
    ]
    assert [duration(value) for value in (None, 0.0001, 0.0006, 0.25, 0.9996, 9.999, 60, 300)] == [
        *("-", "<1ms", "1ms", "250ms", "1.00s", "10.0s", "60.0s", "300s"),
    ]
    assert [percent(value) for value in (None, 0.0, 0.0123, 0.9999, 1.0)] == ["-", "0%", "1.2%", "100%", "100%"]
    assert [_flight_of(*slots) for slots in ((3, 4, 0), (3, 4, 2), (16, 16, 120), (128, 128, 1000))] == [
        *("3/4", "3/4+2", "16/16+", "128/128"),
    ]


def _flight_of(in_flight: int, limit: int, waiting: int) -> str:
    """Return what is said of slots."""
    view = msgspec.structs.replace(
        VIEW, instances=(row("m@http://h", in_flight=in_flight, slots=SlotsNow(limit, limit, waiting)),)
    )
    return shown(view, Look(), SAYING, 80, 24).splitlines()[6].split()[5]
