"""What a sliding window lets through, as the file says it."""

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import window_of
from jairouter_cli.config.parse import parse


@pytest.mark.parametrize(
    ("section", "window"),
    [
        ("{}", (100, 60)),
        ("{capacity: 5, rate: 5}", (5, 1)),
        ("{refillRate: 2.5}", (2.5, 1)),
        ("{rate: 0.5}", (1, 2)),
        ("{rate: 5, window-size: 10s}", (50, 10)),
        ("{rate: 0.01, window-size: 10s}", (1, 100)),
        ("{rate: 5, max-requests: 7}", (7, 60)),
        ("{max-requests: 7, window-size: 2}", (7, 2)),
        ("{window-size: 2}", (100, 2)),
        ("{max-requests: 7, client-ip: {rate: 3}}", (3, 1)),
        ("{rate: 7, client-ip: {max-requests: 3}}", (3, 60)),
        ("{rate: 7, client-ip: {enabled: true}}", (7, 1)),
        ("{window-size: 4, client-ip: {rate: 3}}", (12, 4)),
    ],
)
def test_windows(section: str, window: tuple[float, float]) -> None:
    """`rate` alone is as many a second, and something always comes through; the nearer section wins."""
    rules = parse(Document.load(f"model: {{rate-limit: {section}}}", "x"), {}).config.model.rate_limit
    assert rules is not None
    assert window_of(rules.client_ip, rules) == window
