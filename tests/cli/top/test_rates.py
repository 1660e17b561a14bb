"""What two looks at a gateway come to: rates, shares, quantiles; and what does not come of counts that began anew."""

from typing import Any

import msgspec
import pytest

from jairouter_cli.cli.top.rates import (
    WINDOW_S,
    InstanceRates,
    InstanceRow,
    Looks,
    SlotsNow,
    Snapshot,
    Totals,
    View,
    increase,
    quantile,
    snapshot,
)

BOUNDS = (0.1, 1.0, 10.0)
NAME = "m@http://h:1"


def instance(**given: Any) -> InstanceRates:
    """Return an instance, idle but for what is given."""
    return InstanceRates(
        **{"service": "chat", "id": NAME, "state": "UP", "requests": 0, "failures": 0, "in_flight": 0, **given}
    )


def look(at: float, *instances: InstanceRates, era: str = "x", **totals: Any) -> Snapshot:
    """Return a look at a gateway."""
    return Snapshot(
        era=era,
        at=at,
        is_counting=True,
        workers=2,
        workers_behind=0,
        config_revision=7,
        config_error=None,
        request_bounds_s=BOUNDS,
        first_token_bounds_s=BOUNDS,
        totals=Totals(**{"requests": 0, "errors": 0, "rejected": 0, "in_flight": 0, "waiting": 0, **totals}),
        instances=instances,
    )


def seen(*looks: Snapshot) -> View:
    """Return what is shown after some looks."""
    history = Looks()
    for one in looks:
        history.add(one)
    return history.view()


def test_two_looks_make_rates() -> None:
    """Differences over the time between, of the whole and of each instance; how things stand is that of the last."""
    slots = SlotsNow(limit=4, taken=3, waiting=2)
    view = seen(
        look(100, instance(requests=10, failures=1, input_tokens=100, output_tokens=1000), requests=9, errors=1),
        look(
            102,
            instance(
                breaker="OPEN",
                requests=20,
                failures=6,
                in_flight=3,
                slots=slots,
                latency_s=0.5,
                input_tokens=140,
                output_tokens=1300,
                first_tokens=(0, 10, 0, 0),
            ),
            requests=17,
            errors=3,
            rejected=1,
            in_flight=3,
            waiting=2,
            durations=(4, 4, 0, 0),
        ),
    )
    assert view == View(
        workers=2,
        workers_behind=0,
        config_revision=7,
        config_error=None,
        is_counting=True,
        requests_per_s=4,
        rejected_per_s=0.5,
        error_share=0.25,
        latency_p50_s=0.1,
        latency_p95_s=quantile(0.95, BOUNDS, (4, 4, 0, 0)),
        input_tokens_per_s=20,
        output_tokens_per_s=150,
        in_flight=3,
        waiting=2,
        draining=0,
        instances=(
            InstanceRow(
                service="chat",
                id=NAME,
                state="UP",
                breaker="OPEN",
                requests_per_s=5,
                errors_per_s=2.5,
                error_share=0.5,
                input_tokens_per_s=20,
                output_tokens_per_s=150,
                in_flight=3,
                slots=slots,
                first_token_p50_s=0.55,
                first_token_p95_s=quantile(0.95, BOUNDS, (0, 10, 0, 0)),
                latency_s=0.5,
            ),
        ),
    )


def test_one_look_makes_none() -> None:
    """Nor a second one at an instance that was not there before: it may have counted long ago."""
    view = seen(look(100, instance(requests=10, first_tokens=(5, 0, 0, 0)), requests=10, durations=(5, 0, 0, 0)))
    (row,) = view.instances
    assert (view.requests_per_s, view.error_share, view.latency_p95_s) == (None, None, None)
    assert (row.requests_per_s, row.error_share, row.output_tokens_per_s, row.first_token_p50_s) == (None,) * 4
    later = seen(look(100, requests=10), look(101, instance(requests=10), requests=20))
    assert (later.requests_per_s, later.instances[0].requests_per_s) == (10, None)


def test_a_gateway_that_was_started_anew_is_seen_for_the_first_time() -> None:
    """Whether its counts are smaller or larger than before; and so is one whose clock went back."""
    for again in (look(102, era="y", requests=500), look(90, requests=500)):
        assert seen(look(100, requests=100), again).requests_per_s is None
    after = seen(look(100, requests=100), look(102, era="y", requests=500), look(104, era="y", requests=504))
    assert after.requests_per_s == 2


def test_counts_of_an_instance_that_began_anew_are_those_since() -> None:
    """It was removed and added again: never a negative rate, and no distribution that mixes both."""
    view = seen(
        look(100, instance(requests=90, failures=4, first_tokens=(50, 3, 0, 0))),
        look(101, instance(requests=100, failures=5, first_tokens=(60, 3, 0, 0))),
        look(102, instance(requests=6, failures=0, first_tokens=(0, 8, 0, 0))),
    )
    (row,) = view.instances
    assert (row.requests_per_s, row.errors_per_s) == (6, 0)
    assert row.error_share == pytest.approx(1 / 16)
    assert row.first_token_p95_s == quantile(0.95, BOUNDS, (10, 8, 0, 0))
    assert increase((90, 100, 6, 9)) == 19


def test_requests_are_of_the_last_interval_and_tokens_of_the_window() -> None:
    """Answers are long, and their tokens are counted when they end."""
    looks = [look(100 + n, instance(requests=n, output_tokens=100 * (n // 10))) for n in range(40)]
    view = seen(*looks, look(140, instance(requests=44, output_tokens=400)))
    (row,) = view.instances
    assert row.requests_per_s == 5
    assert row.output_tokens_per_s == 200 / WINDOW_S
    rare = seen(look(0, requests=0), look(60, requests=60), look(120, requests=240))
    assert rare.requests_per_s == 3, "intervals may be longer than the window"


def test_two_instances_of_one_name_are_told_apart() -> None:
    """By their place among equals."""
    view = seen(
        look(0, instance(ordinal=1), instance(ordinal=2)),
        look(1, instance(ordinal=1, requests=1), instance(ordinal=2, requests=2)),
    )
    assert [row.requests_per_s for row in view.instances] == [1, 2]


@pytest.mark.parametrize(
    ("share", "counts", "value"),
    [
        (0.5, (0, 0, 0, 0), None),
        (0.5, (), None),
        (0.5, (4, 0, 0, 0), 0.05),
        (1.0, (4, 0, 0, 0), 0.1),
        (0.5, (0, 4, 0, 0), 0.55),
        (0.5, (2, 0, 2, 0), 0.1),
        (0.75, (2, 0, 2, 0), 5.5),
        (0.95, (1, 0, 0, 9), 10.0),
        (0.0, (0, 4, 0, 0), 0.1),
    ],
)
def test_quantiles_are_those_of_promql(share: float, counts: tuple[int, ...], value: float | None) -> None:
    """Spread evenly over the bucket; beyond the last bound it is that bound."""
    assert quantile(share, BOUNDS, counts) == (None if value is None else pytest.approx(value))


def test_what_is_no_answer_of_a_gateway_is_refused() -> None:
    """The same goes for one that lacks something."""
    answer = msgspec.to_builtins(look(1, instance(first_tokens=(1, 2))))
    assert snapshot(answer) == look(1, instance(first_tokens=(1, 2)))
    del answer["totals"]
    with pytest.raises(msgspec.ValidationError, match="totals"):
        snapshot(answer)
