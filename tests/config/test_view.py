"""A configuration as plain data."""

import pytest

from jairouter_cli.config.kinds import MILLISECONDS
from jairouter_cli.config.scalars import read_duration
from jairouter_cli.config.view import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (30.0, "30s"),
        (0.3, "300ms"),
        (1.5, "1.5s"),
        (0.0005, "0.5ms"),
        (1_000_000.0, "1000000s"),
        (604_800.0, "604800s"),
    ],
)
def test_durations_are_written_as_they_are_read(seconds: float, text: str) -> None:
    """Never with an exponent."""
    assert duration(seconds) == text
    assert read_duration(text, MILLISECONDS) == pytest.approx(seconds)
