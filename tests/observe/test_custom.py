"""Metrics of the operator's own: what several workers were fed, and what is shown of it."""

from msgspec.structs import replace

from jairouter_cli.config.kinds import MetricName, Moment
from jairouter_cli.config.monitoring import CustomMetric
from jairouter_cli.config.monitoring import Metrics as Settings
from jairouter_cli.observe.board import own_board
from jairouter_cli.observe.collection import add_up, collect
from jairouter_cli.observe.custom import custom_families, feed, last_fed
from jairouter_cli.observe.metrics import MetricsSink

ORDERS = CustomMetric(name=MetricName("orders"), tags={"shop": "north"})


def test_the_sum_of_the_workers() -> None:
    """Workers' sums, every series with all labels; fed when any was; what an older one of that name counted is gone."""
    shown = Settings(custom=(replace(ORDERS, created_at=Moment("2026-02-02T00:00:00Z")),))
    (now,) = shown.custom
    boards = [own_board(), own_board()]
    for at, board in enumerate(boards):
        metrics = MetricsSink(board)
        feed(metrics, now, 2, {}, 100.0 + at)
        feed(metrics, now, 3, {"kind": "x", "shop": "south"}, 100.0 + at)
        feed(metrics, ORDERS, 1000, {}, 999.0)
    rows = add_up((board, True) for board in boards)
    (metric,) = collect(custom_families(shown, rows), rows, ())
    assert (metric.family.name, list(metric.family.labels)) == ("orders", ["kind", "shop"])
    assert metric.series == {("", "north"): 4, ("x", "south"): 6}
    assert last_fed(((board, True) for board in boards), shown.custom) == {"orders": 101.0}
    for off in (
        replace(shown, disabled=("orders",)),
        replace(shown, custom=(replace(now, category="business"),), enabled_categories=()),
        replace(shown, custom=(replace(now, name=MetricName("requests")),)),
    ):
        assert list(custom_families(off, rows)) == []
