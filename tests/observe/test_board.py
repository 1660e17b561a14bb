"""Boards that are read while they are written."""

from jairouter_cli.observe.board import own_board


def test_a_row_that_is_added_meanwhile_does_not_disturb_a_reader() -> None:
    """Who reads does so on another thread than who writes."""
    board = own_board()
    board.row("one", ("a",), 1)
    reading = board.rows()
    assert next(reading).record == "one"
    board.row("other", ("a",), 1)
    assert list(reading) == []
    assert [row.record for row in board.rows()] == ["one", "other"]
