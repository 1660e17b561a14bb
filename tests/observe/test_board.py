"""Numbers in memory that others read."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.observe.board import BOARD_BYTES, CELLS, Board, Row, own_board


def test_a_reader_sees_what_its_writer_adds() -> None:
    """Rows that are there, and rows that come later; values as they stand at the moment."""
    memory = memoryview(bytearray(BOARD_BYTES))
    writer, reader = Board(memory), Board(memory)
    first = writer.row("calls", ("chat", "模型"), 3)
    assert first == Row("calls", ("chat", "模型"), 0, 3)
    writer.cells[first.at + 1] += 2.0
    assert list(reader.rows()) == [first]
    assert reader.values(first) == (0.0, 2.0, 0.0)
    second = writer.row("calls", ("chat", "a\nb"), 1)
    writer.cells[first.at] += 1.0
    assert list(reader.rows()) == [first, second]
    assert reader.values(first) == (1.0, 2.0, 0.0)


def test_the_next_worker_goes_on() -> None:
    """What was counted stays, and what has a row has it still."""
    memory = memoryview(bytearray(BOARD_BYTES))
    before = Board(memory)
    row = before.row("calls", ("chat",), 2)
    assert row is not None
    before.cells[row.at] = 7.0
    after = Board(memory)
    assert list(after.rows()) == [row]
    assert after.row("calls", ("chat",), 2) == row
    assert after.values(row) == (7.0, 0.0)
    assert after.row("calls", ("tts",), 2) == Row("calls", ("tts",), 2, 2)


def test_a_board_that_is_full() -> None:
    """There is no room, and nothing of what is there is touched."""
    board = own_board()
    assert board.row("big", (), CELLS - 1) == Row("big", (), 0, CELLS - 1)
    assert board.row("more", (), 2) is None
    assert board.row("last", (), 1) == Row("last", (), CELLS - 1, 1)
    assert board.row("long", ("x" * 9_000_000,), 0) is None
    assert [row.record for row in Board(board.memory).rows()] == ["big", "last"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=5), st.integers(1, 4))))
def test_rows_never_overlap(wanted: list[tuple[str, str, int]]) -> None:
    """Every cell has one row at most, whatever is asked for in which order."""
    board, taken = own_board(), Counter[int]()
    for name, label, width in wanted:
        board.row(name, (label, str(width)), width)
    for row in board.rows():
        taken.update(range(row.at, row.at + row.width))
    assert set(taken.values()) <= {1}


def test_a_row_that_is_added_meanwhile_does_not_disturb_a_reader() -> None:
    """Who reads does so on another thread than who writes."""
    board = own_board()
    board.row("one", ("a",), 1)
    reading = board.rows()
    assert next(reading).record == "one"
    board.row("other", ("a",), 1)
    assert list(reading) == []
    assert [row.record for row in board.rows()] == ["one", "other"]
