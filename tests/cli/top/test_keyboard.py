"""Keys, as terminals send them."""

import pytest

from jairouter_cli.cli.top.keyboard import DOWN, END, HOME, PAGE_DOWN, PAGE_UP, UP, keys_of


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("", []),
        ("q", ["q"]),
        ("rn", ["r", "n"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1bOF", [UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END]),
        ("a\x1b[Ab", ["a", UP, "b"]),
        ("\x1b", []),
        ("\x1bq", ["q"]),
        ("\x1b[", []),
        ("\x1b[<0;3;4Mq", ["q"]),
        ("\x1b[1;5Cq", ["q"]),
        ("é键", ["é", "键"]),
    ],
)
def test_keys(sent: str, keys: list[str]) -> None:
    """Special ones have names; what is not known does not become other keys."""
    assert list(keys_of(sent)) == keys
