"""Which heads of answers can be sent."""

import pytest

from jairouter_cli.request_errors import UpstreamUnsendable
from jairouter_cli.web.doors.door import MOST_HEADER_LINES, check_head


@pytest.mark.parametrize(("status", "lines"), [(200, 1024), (999, 0)])
def test_heads_that_can_be_sent(status: int, lines: int) -> None:
    """Any final status, and as many lines as nobody needs."""
    check_head(status, [("a", "")] * lines)


@pytest.mark.parametrize(
    ("status", "lines", "problem"),
    [
        (200, 24_576, f"24576 header lines, of at most {MOST_HEADER_LINES}"),
        (200, 1025, "1025 header lines, of at most 1024"),
        (0, 0, "the status 0"),
        (101, 0, "the status 101"),
        (1000, 0, "the status 1000"),
    ],
)
def test_heads_that_cannot(status: int, lines: int, problem: str) -> None:
    """They would end the server's process, or are none of an answer."""
    with pytest.raises(UpstreamUnsendable) as refused:
        check_head(status, [("a", "")] * lines)
    assert str(refused.value) == f"The head of the backend's response cannot be forwarded: {problem}"
