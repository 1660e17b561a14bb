"""What is counted of a call, and what is shown of it."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from jairouter_cli.config.model import Limiting, ServiceType
from jairouter_cli.config.place import Place
from jairouter_cli.observe.board import BOARD_BYTES, Board, own_board
from jairouter_cli.observe.collection import Reading, add_up, collect
from jairouter_cli.observe.events import Attempt, Completed, Handled
from jairouter_cli.observe.exposition import exposition
from jairouter_cli.observe.families import ALIASES, FAMILIES, POOLS
from jairouter_cli.observe.metrics import MetricsSink
from jairouter_cli.payloads.spent import Source, Spent
from jairouter_cli.routing.admission import Limit, Unit
from jairouter_cli.routing.breaker import BreakerRules
from jairouter_cli.routing.buckets import LimitRule, step
from jairouter_cli.routing.call import Call, Turn
from tests.routing.factory import target

CHAT = "/v1/chat/completions"
RULES = BreakerRules(3, None, 20, 10.0, 10.0, 2)
A, B = target("m@http://a"), target("m@http://b", breaker=RULES)


def call(status: int = 200, ended: str = "ok", attempts: Iterable[Attempt] = (), **more: Any) -> Completed:
    """Return a call that has ended."""
    of = {"path": CHAT, "strategy": "random", "is_known": True, "request_bytes": 500, "response_bytes": 600, **more}
    duration_s = of.pop("duration_s", 0.3)
    return Completed(Call(ServiceType.CHAT, "m"), "id", status, ended, list(attempts), duration_s, **of)


def shown(*boards: Board, readings: Iterable[Reading] = ()) -> dict[tuple[str, ...], float]:
    """Return every sample that is not a bucket nor zero: its name and the values of its labels, by their names."""
    metrics = collect(FAMILIES, add_up((board, True) for board in boards), readings)
    text, _ = exposition(metrics, "", {}, "")
    samples = (one for family in text_string_to_metric_families(text.decode()) for one in family.samples)
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): round(one.value, 6)
        for one in samples
        if "le" not in one.labels and one.value
    }


def counted(*events: Completed) -> dict[tuple[str, ...], float]:
    """Return what is shown of some calls, without the largest values."""
    board = own_board()
    metrics = MetricsSink(board)
    for event in events:
        metrics(event)
    return {key: value for key, value in shown(board).items() if not key[0].endswith("_max")}


def test_a_good_call() -> None:
    """All that is shown of one, each number where it belongs."""
    spent = Spent(10, 20, Source.MEASURED)
    assert counted(call(attempts=[Attempt(A, 200, "", 0.2)], head_s=0.201, spent=spent)) == {
        ("requests_total", "POST", "chat", "200"): 1,
        ("request_duration_seconds_count", "POST", "chat"): 1,
        ("request_duration_seconds_sum", "POST", "chat"): 0.3,
        ("http_server_requests_seconds_count", "POST", "SUCCESS", "200", CHAT): 1,
        ("http_server_requests_seconds_sum", "POST", "SUCCESS", "200", CHAT): 0.3,
        ("http_client_requests_seconds_count", "a", "none", "SUCCESS"): 1,
        ("http_client_requests_seconds_sum", "a", "none", "SUCCESS"): 0.299,
        ("request_size_bytes_count", "chat"): 1,
        ("request_size_bytes_sum", "chat"): 500,
        ("response_size_bytes_count", "chat"): 1,
        ("response_size_bytes_sum", "chat"): 600,
        ("backend_calls_total", "normal", "m@http://a", "success"): 1,
        ("backend_call_duration_seconds_count", "normal", "m@http://a"): 1,
        ("backend_call_duration_seconds_sum", "normal", "m@http://a"): 0.299,
        ("model_calls_total", "m", "chat", "normal", "success"): 1,
        ("model_call_duration_seconds_count", "m", "chat", "normal"): 1,
        ("model_call_duration_seconds_sum", "m", "chat", "normal"): 0.299,
        ("loadbalancer_selections_total", "m@http://a", "chat", "random"): 1,
        ("gateway_overhead_seconds_count", "chat"): 1,
        ("gateway_overhead_seconds_sum", "chat"): 0.001,
        ("tokens_total", "input", "m@http://a", "m", "chat", "measured"): 10,
        ("tokens_total", "output", "m@http://a", "m", "chat", "measured"): 20,
    }


def some(found: dict[tuple[str, ...], float], *names: str) -> dict[tuple[str, ...], float]:
    """Return those of some names."""
    return {key: value for key, value in found.items() if key[0] in names}


def test_a_call_that_went_from_one_to_the_other() -> None:
    """Each attempt is one of its instance, with its own end; the retry is counted, and the time in the queue."""
    attempts = [Attempt(A, None, "first_byte_timeout: none", 1.0), Attempt(B, 200, "", 0.5)]
    found = counted(call(attempts=attempts, head_s=1.8, duration_s=2.0, queued_s=0.25))
    names = ["backend_calls_total", "model_calls_total", "backend_call_duration_seconds_sum", "retries_total"]
    names += ["circuit_breaker_events_total", "gateway_overhead_seconds_sum", "queue_wait_seconds_sum"]
    assert some(found, *names) == {
        ("backend_calls_total", "normal", "m@http://a", "failure"): 1,
        ("backend_calls_total", "normal", "m@http://b", "success"): 1,
        ("model_calls_total", "m", "chat", "normal", "timeout"): 1,
        ("model_calls_total", "m", "chat", "normal", "success"): 1,
        ("backend_call_duration_seconds_sum", "normal", "m@http://a"): 1.0,
        ("backend_call_duration_seconds_sum", "normal", "m@http://b"): 0.7,
        ("circuit_breaker_events_total", "m@http://b", "success", "chat"): 1,
        ("retries_total", "chat"): 1,
        ("gateway_overhead_seconds_sum", "chat"): 0.05,
        ("queue_wait_seconds_sum", "chat"): 0.25,
    }


def test_a_stream() -> None:
    """The first content, and the mean between the events behind it."""
    found = counted(call(attempts=[Attempt(A, 200, "", 0.2)], head_s=0.2, duration_s=1.5, first_token_s=0.5, events=11))
    assert some(found, "first_token_seconds_sum", "inter_token_gap_seconds_sum") == {
        ("first_token_seconds_sum", "m@http://a", "m", "chat"): 0.5,
        ("inter_token_gap_seconds_sum", "m@http://a", "m", "chat"): 0.1,
    }


def test_how_calls_end() -> None:
    """Those that clients left, that were cut off, that something else was given for; and what limits said."""
    rule = LimitRule(Limiting.LEAKY_BUCKET, 1, 1)
    limit = Limit("l", "service", Place(ServiceType.CHAT), Unit.REQUESTS, rule, lambda *args: step(rule, *args))
    found = counted(
        call(499, "left", [Attempt(A, None, "left", 0.1)]),
        call(200, "truncated", [Attempt(A, 200, "broken: cut", 0.1)]),
        call(503, "failed", [Attempt(A, 503, "", 0.1)], fallback="default"),
        call(429, "failed", decisions=[(limit, False)]),
        call(200, "ok", decisions=[(limit, True)]),
        call(404, "failed", is_known=False, method="BREW"),
    )
    names = ("requests_total", "model_calls_total", "cancellations_total", "truncated_answers_total")
    assert some(found, *names, "fallbacks_total", "rate_limit_events_total") == {
        ("requests_total", "POST", "chat", "499"): 1,
        ("requests_total", "POST", "chat", "200"): 2,
        ("requests_total", "POST", "chat", "503"): 1,
        ("requests_total", "POST", "chat", "429"): 1,
        ("requests_total", "other", "chat", "404"): 1,
        ("model_calls_total", "m", "chat", "normal", "cancelled"): 1,
        ("model_calls_total", "m", "chat", "normal", "error"): 2,
        ("cancellations_total", "chat"): 1,
        ("truncated_answers_total", "chat"): 1,
        ("fallbacks_total", "chat", "default"): 1,
        ("rate_limit_events_total", "leaky-bucket", "rejected", "chat"): 1,
        ("rate_limit_events_total", "leaky-bucket", "allowed", "chat"): 1,
    }


def test_instances_that_turn() -> None:
    """A breaker that opens is a change of its state, and counted as an opening, too."""
    board = own_board()
    metrics = MetricsSink(board)
    for turn in (Turn.BREAKER_OPENED, Turn.BREAKER_CLOSED, Turn.BREAKER_OPENED, Turn.DOWN):
        metrics.turned(B, turn)
    assert shown(board) == {
        ("circuit_breaker_events_total", "m@http://b", "state_change", "chat"): 3,
        ("circuit_breaker_opened_total", "m@http://b", "chat"): 2,
    }


def test_largest_values_are_those_of_late() -> None:
    """One that was seen stays for a minute at least, and two at most."""
    board = own_board()
    metrics = MetricsSink(board)
    largest = ("request_duration_seconds_max", "POST", "chat")
    metrics(call(duration_s=5.0))
    metrics(call(duration_s=1.0))
    assert shown(board)[largest] == 5.0
    metrics.age()
    metrics(call(duration_s=2.0))
    assert shown(board)[largest] == 5.0
    metrics.age()
    assert shown(board)[largest] == 2.0


def test_what_clients_make_up_has_no_series_of_its_own() -> None:
    """Past the bound all that is new is counted together; nothing is lost."""
    board = own_board()
    metrics = MetricsSink(board, max_series=10)
    for number in range(100):
        metrics(call(200 + number))
    found = some(shown(board), "requests_total")
    assert len(found) == 11
    assert sum(found.values()) == 100
    assert found["requests_total", "other", "other", "other"] == 90


def test_a_board_without_room() -> None:
    """Counting goes on for what has a row; for the rest it is known how much is missing."""
    board = own_board()
    metrics = MetricsSink(board)
    board.row("filler", (), 0)
    metrics(call(200))
    while board.row("filler", (str(len(list(board.rows()))),), 20_000) is not None:
        pass
    while board.row("filler", (str(len(list(board.rows()))),), 10) is not None:
        pass
    metrics(call(200))
    metrics(call(500))
    assert some(shown(board), "requests_total") == {("requests_total", "POST", "chat", "200"): 2}
    assert metrics.errors > 0


def test_switched_off() -> None:
    """Nothing is counted."""
    board = own_board()
    metrics = MetricsSink(board)
    metrics.is_enabled = False
    metrics(call())
    metrics.turned(B, Turn.BREAKER_OPENED)
    metrics.probed(A, 0.1)
    metrics.handled(Handled("127.0.0.1", "GET", "/api/models", 200, "ok", 0.1, 5, "/api/models"))
    assert shown(board) == {}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([200, 404, 500]), st.floats(0, 100)), max_size=30))
def test_the_sum_of_the_workers(calls: list[tuple[int, int, float]]) -> None:
    """Whoever counts what: together it is what one would have counted; a gauge is lost with its worker."""
    alone, boards = own_board(), [own_board() for _ in range(4)]
    all_by_one, each = MetricsSink(alone), [MetricsSink(board) for board in boards]
    for worker, status, duration_s in calls:
        event = call(status, duration_s=duration_s, attempts=[Attempt(A, status, "", duration_s)])
        all_by_one(event)
        each[worker](event)
    assert shown(*boards) == shown(alone)


def test_a_worker_that_follows_another() -> None:
    """Counters go on where they stood; what was only the other's own is gone."""
    memory = memoryview(bytearray(BOARD_BYTES))
    before = MetricsSink(Board(memory))
    before(call())
    before.put(POOLS, ("h:80", "active"), 3.0)
    after = MetricsSink(Board(memory))
    after(call())
    found = shown(Board(memory))
    assert found["requests_total", "POST", "chat", "200"] == 2
    assert not some(found, "backend_connection_pool_active")


def test_both_formats() -> None:
    """With prefix and common labels; what Prometheus's own parsers read of them is the same."""
    board = own_board()
    MetricsSink(board)(call(attempts=[Attempt(A, 200, "", 0.2)]))
    metrics = collect((*FAMILIES, *ALIASES), add_up([(board, True)]), [Reading("workers", (), 2)])
    tags = {"environment": 'pro"d\n', "service": "never over one that is there"}
    text, kind = exposition(metrics, "jr", tags, "text/plain")
    assert kind.startswith("text/plain; version=0.0.4")
    plain = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }
    open_text, open_kind = exposition(metrics, "jr", tags, "application/openmetrics-text;version=1.0.0,*/*;q=0.1")
    assert open_kind.startswith("application/openmetrics-text; version=1.0.0")
    assert open_text.endswith(b"# EOF\n")
    opened = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in read_openmetrics(open_text.decode())  # type: ignore[no-untyped-call]
        for one in family.samples
    }
    assert opened == plain
    assert plain["jr_workers", ("environment", 'pro"d\n'), ("service", "never over one that is there")] == 2
    bucket = ("jr_request_duration_seconds_bucket", ("environment", 'pro"d\n'), ("le", "0.5"), ("method", "POST"))
    assert plain[(*bucket, ("service", "chat"))] == 1
    assert "jr_http_server_requests_seconds_count" not in text.decode()
    assert "http_server_requests_seconds_count" in text.decode()
    assert "model_router_requests_total" in text.decode()
