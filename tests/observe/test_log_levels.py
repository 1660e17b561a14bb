"""How much each logger says: the defaults, the file, and what was said to the running gateway."""

import logging
from collections.abc import Iterator

import pytest

from jairouter_cli.config.monitoring import Level
from jairouter_cli.observe.log_levels import NUMBERS, LoggerLevels, word
from jairouter_cli.state.folder import folder
from jairouter_cli.state.shared import SharedMemory
from jairouter_cli.state.workers import Alone


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Put the levels of this process back."""
    names = (None, "jairouter", "jairouter.access", "httpx", "httpcore", "_granian", "opentelemetry.exporter")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_defaults() -> None:
    """INFO for all but those that would say every request."""
    levels = LoggerLevels(Alone(), {})
    assert levels.names()[0] == "ROOT"
    assert {"_granian", "jairouter", "jairouter.access"} <= set(levels.names())
    assert (levels.configured("ROOT"), levels.effective("ROOT")) == (Level.INFO, Level.INFO)
    assert (levels.configured("jairouter"), levels.effective("jairouter.access")) == (None, Level.INFO)
    assert (levels.effective("httpx"), levels.effective("_granian.workers")) == (Level.WARN, Level.WARN)
    assert logging.getLogger("jairouter.access").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


def test_what_was_said_stands_over_the_file() -> None:
    """A reload changes what was not said; taken back, the file holds again."""
    levels = LoggerLevels(Alone(), {"org.unreal.modelrouter": Level.DEBUG, "root": Level.ERROR})
    assert (levels.configured("jairouter"), levels.effective("anything")) == (Level.DEBUG, Level.ERROR)
    levels.set("jairouter", Level.OFF)
    assert not logging.getLogger("jairouter").isEnabledFor(logging.CRITICAL)
    levels.use({"jairouter": Level.TRACE, "x.y": Level.WARN})
    assert (levels.effective("org.unreal.modelrouter"), levels.effective("x.y.z")) == (Level.OFF, Level.WARN)
    levels.set("org.unreal.modelrouter", None)
    assert logging.getLogger("jairouter").isEnabledFor(5)
    levels.use({})
    assert (levels.configured("jairouter"), logging.getLogger("jairouter").level) == (None, logging.NOTSET)
    assert logging.getLogger("x.y").level == logging.NOTSET


@pytest.mark.parametrize("name", ["", "a b", "a..b", "x" * 201, "a\nb"])
def test_what_cannot_be_a_logger(name: str) -> None:
    """Nothing is set."""
    levels = LoggerLevels(Alone(), {})
    with pytest.raises(ValueError, match="not a logger name"):
        levels.set(name, Level.DEBUG)


def test_workers_have_them_in_common() -> None:
    """The others hear of it; one that begins later goes by it, too."""
    with folder(2) as made:
        place = made.path
        one, other = SharedMemory(place, 2), SharedMemory(place, 2)
        mine, theirs = LoggerLevels(one, {}), LoggerLevels(other, {})
        mine.set("jairouter", Level.DEBUG)
        mine.set("jairouter.access", Level.WARN)
        assert other.bell.recv(16) == b"l"
        theirs.follow()
        theirs.set("jairouter.access", None)
        late = SharedMemory(place, 2)
        third = LoggerLevels(late, {})
        assert (third.configured("jairouter"), third.configured("jairouter.access")) == (Level.DEBUG, None)
        for each in (one, other, late):
            each.close()


def test_words() -> None:
    """Python's numbers by our names."""
    assert [word(number) for number in (60, 50, 40, 35, 20, 10, 5, 1)] == [
        Level.ERROR,
        Level.ERROR,
        Level.ERROR,
        Level.WARN,
        Level.INFO,
        Level.DEBUG,
        Level.TRACE,
        Level.TRACE,
    ]
    assert NUMBERS[Level.OFF] > logging.CRITICAL
