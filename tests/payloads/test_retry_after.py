"""What a `Retry-After` says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jairouter_cli.payloads.retry_after import retry_after_s

NOON = 1_795_521_600.0  # Tue, 24 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("30", 30),
        (" 7 ", 7),
        ("-1", 0),
        ("1.5", 0),
        ("soon", 0),
        ("Tue, 24 Nov 2026 12:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 13:00:30 +0100", 30),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_seconds_and_dates(text: str, seconds: float) -> None:
    """Both forms; what is past or none of them is nothing."""
    assert retry_after_s(text, NOON) == seconds


@example("Tue, 24 Nov 2026 12:00:00 +99999999999999999999")
@given(st.text())
def test_no_text_does_harm(text: str) -> None:
    """A backend may send what it likes."""
    assert retry_after_s(text, NOON) >= 0
