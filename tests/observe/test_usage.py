"""The ledger of tokens: what is taken is written, once, whatever happens to the file in between."""

import logging
import os
import resource
import sqlite3
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.monitoring import Usage
from jairouter_cli.errors import UsageUnreadable
from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.observe.fingerprint import fingerprint
from jairouter_cli.observe.usage import OTHER_KEYS, UsageLedger
from jairouter_cli.observe.usage_file import accounts, grouped, newest, place, total
from jairouter_cli.payloads.spent import Source, Spent
from jairouter_cli.routing.call import Call
from tests.routing.factory import target

NOW = 1_795_500_000.0
TARGET = target("m@http://h")
MEASURED = Spent(10, 5, Source.MEASURED)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def event(model: str = "m", key: str = "Bearer k1", spent: Spent | None = MEASURED) -> Completed:
    """Return a call that went well."""
    attempts = [Attempt(TARGET, 200)]
    call = Call(ServiceType.CHAT, model)
    return Completed(call, "req_1", 200, "ok", attempts, 0.5, is_known=True, spent=spent, credential=key)


def sums(ledger: UsageLedger, column: str = "model") -> dict[str, tuple[float, ...]]:
    """Return what is in the file."""
    return {one.name: tuple(one.amounts) for one in accounts(ledger.path, column, 0, 2 * NOW)}


@pytest.fixture
def ledger(tmp_path: Path) -> UsageLedger:
    """Return a ledger beside a configuration."""
    return UsageLedger(tmp_path / "j.yaml", Usage(), Clock())


def test_what_is_taken_is_summed_up(ledger: UsageLedger) -> None:
    """By model, instance, key, hour and source; a call of which no tokens are known is a request all the same."""
    taken = [
        event(),
        event(),
        event("n", "Bearer k2", Spent(1, 2, Source.ESTIMATED)),
        replace(event("n", "", Spent(3, 4, Source.PARTIAL)), status=499, ended="left"),
        replace(event("n", "", None), status=503, ended="failed", attempts=[]),
        replace(event("nobody has heard of it"), is_known=False),
    ]
    for one in taken:
        ledger(one)
    ledger.flush()
    ledger.flush()
    assert sums(ledger) == {"m": (2, 0, 20, 10, 1.0), "n": (3, 2, 4, 6, 1.5)}
    assert sums(ledger, "instance") == {"m@http://h": (4, 1, 24, 16, 2.0), "": (1, 1, 0, 0, 0.5)}
    assert sums(ledger, "key") == {
        fingerprint("Bearer k1"): (2, 0, 20, 10, 1.0),
        fingerprint("Bearer k2"): (1, 0, 1, 2, 0.5),
        "": (2, 2, 3, 4, 1.0),
    }
    hours = accounts(ledger.path, "hour", NOW, NOW)
    assert [one.by_source for one in hours] == [{"measured": 30, "estimated": 3, "partial": 7}]
    assert total(hours).amounts.tokens == 40
    assert [one.amounts.requests for one in grouped(hours, "%Y")] == [5]
    assert accounts(ledger.path, "hour", NOW + 3600, NOW + 7200) == []
    recent = newest(ledger.path, 10)
    assert [one.ended for one in recent] == ["failed", "left", "ok", "ok", "ok"]
    assert recent[1][:1] + recent[1][2:] == (
        NOW, "chat", "n", "m@http://h", "", 499, "left", "partial", 3, 4, 0.5,
    )  # fmt: skip
    assert [one.input_tokens for one in newest(ledger.path, 10, "n")] == [None, 3, 1]
    ledger.close()


def test_no_key_is_kept(ledger: UsageLedger) -> None:
    """Only what tells one from the others; the shell finds it from the key, too."""
    assert (
        fingerprint("Bearer sk-secret")
        == fingerprint("bearer  sk-secret")
        == fingerprint("sk-secret")
        == "746b4ad1ca91"
    )
    ledger(event(key="Bearer sk-secret"))
    ledger.flush()
    for file in ledger.path.parent.iterdir():
        assert b"sk-secret" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    ledger.close()


def test_what_is_switched_off_is_not_written(tmp_path: Path) -> None:
    """No file is made; switched on later, it counts from then on, in the file that is named."""
    ledger = UsageLedger(tmp_path / "j.yaml", Usage(enabled=False))
    ledger(event())
    ledger.flush()
    assert list(tmp_path.iterdir()) == []
    ledger.follow(Usage(file="elsewhere.db"))
    ledger(event())
    ledger.close()
    assert [file.name for file in tmp_path.iterdir()] == ["elsewhere.db"]
    assert sums(ledger)["m"][0] == 1


def test_where_the_file_is(tmp_path: Path) -> None:
    """Beside the configuration itself, behind links; a name is seen from there."""
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "x.yaml"
    file.touch()
    (tmp_path / "link.yaml").symlink_to(file)
    assert place(tmp_path / "link.yaml", None, None) == tmp_path / "real" / ".x.yaml.usage.db"
    assert place(tmp_path / "link.yaml", "u.db", None) == tmp_path / "real" / "u.db"
    assert place(tmp_path / "link.yaml", "/var/u.db", None) == Path("/var/u.db")


def test_several_workers_write_to_one_file(tmp_path: Path) -> None:
    """At the same time, and nothing is lost or counted twice."""

    def work() -> None:
        ledger = UsageLedger(tmp_path / "j.yaml", Usage())
        for _ in range(20):
            for _ in range(10):
                ledger(event())
            ledger.flush()
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums(UsageLedger(tmp_path / "j.yaml", Usage())) == {"m": (800, 0, 8000, 4000, 400.0)}


def test_several_workers_begin_and_end_one_file(tmp_path: Path) -> None:
    """The first who opens it changes its journal, the last who closes it removes that: no other one gives up on it."""
    start = threading.Barrier(4)

    def work() -> None:
        for number in range(50):
            ledger = UsageLedger(tmp_path / f"{number}.yaml", Usage())
            ledger(event())
            start.wait(20)
            ledger.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(50):
        assert sums(UsageLedger(tmp_path / f"{number}.yaml", Usage())) == {"m": (4, 0, 40, 20, 2.0)}


def test_it_stays_small(tmp_path: Path) -> None:
    """Old hours and all but the newest calls are forgotten; a client that invents keys gets one line for them."""
    clock = Clock()
    ledger = UsageLedger(tmp_path / "j.yaml", Usage(keep_days=2, recent=3), clock, ticks=clock)
    for number in range(1100):
        ledger(replace(event(key=f"Bearer {number}"), request_id=str(number)))
    ledger.flush()
    keys = sums(ledger, "key")
    assert (len(keys), keys[OTHER_KEYS][0]) == (1001, 100)
    assert [one.request_id for one in newest(ledger.path, 10)] == ["1099", "1098", "1097"]
    for _ in range(3 * 24 * 6):
        clock.now += 600
        ledger.flush()
    ledger(replace(event(), request_id="later"))
    ledger.flush()
    assert sums(ledger)["m"][0] == 1
    assert [one.request_id for one in newest(ledger.path, 10)] == ["later", "1099", "1098"]
    ledger.follow(Usage(recent=0))
    ledger(event())
    assert ledger.forget(clock.now) == 0
    ledger.flush()
    assert newest(ledger.path, 10) == []
    assert ledger.forget(clock.now + 3600) == 1
    assert sums(ledger) == {}
    ledger.close()


@given(
    st.lists(st.tuples(st.sampled_from(["goes", "goes", "jumps"]), st.integers(-400 * 86400, 400 * 86400)), max_size=12)
)
@settings(max_examples=40, deadline=None)
def test_a_clock_that_jumps_loses_nothing(steps: list[tuple[str, int]]) -> None:
    """Forward by a year and back, however often: every call is counted once, and the old ones go in the end."""
    with TemporaryDirectory() as folder:
        clock, ticks = Clock(), Clock()
        ledger = UsageLedger(Path(folder) / "j.yaml", Usage(keep_days=2), clock, ticks=ticks)
        taken = 0
        for kind, amount in steps:
            gone = amount % 300
            ticks.now += gone
            clock.now += gone if kind == "goes" else amount
            ledger(event())
            ledger.flush()
            taken += 1
        found = accounts(ledger.path, "hour", 0)
        assert sum(one.amounts.requests for one in found) == taken
        clock.now = max((int(one.name) * 3600 for one in found), default=0) + 3 * 86400.0
        for _ in range(8):
            clock.now, ticks.now = clock.now + 599, ticks.now + 599
            ledger.flush()
        ledger(event())
        ledger.flush()
        assert [one.amounts.requests for one in accounts(ledger.path, "hour", 0)] == [1]
        ledger.close()


def test_a_machine_that_slept(tmp_path: Path) -> None:
    """Both clocks are a year further: nothing goes until they have gone alike for an hour."""
    clock = Clock()
    ledger = UsageLedger(tmp_path / "j.yaml", Usage(keep_days=2), clock, ticks=clock)
    for number in range(10):
        clock.now += 365 * 86400 if number == 8 else 600
        ledger(event())
        ledger.flush()
    assert sums(ledger)["m"][0] == 8 + 2
    ledger.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("trouble", ["corrupt", "no folder", "newer"])
def test_trouble_passes(tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: str) -> None:
    """One warning, counting goes on, and all is written when the cause is gone."""
    ledger = UsageLedger(tmp_path / "j.yaml", Usage(file="folder/u.db"))
    folder = tmp_path / "folder"
    if trouble != "no folder":
        folder.mkdir()
    if trouble == "corrupt":
        ledger.path.write_bytes(b"no database " * 1000)
    if trouble == "newer":
        with sqlite3.connect(ledger.path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    for _ in range(3):
        ledger(event())
        ledger.flush()
    (said,) = warnings(caplog)
    assert said.startswith(f"cannot write usage to {ledger.path}: ")
    if trouble != "no folder":
        with pytest.raises(UsageUnreadable):
            sums(ledger)
    ledger.path.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    ledger.close()
    assert warnings(caplog)[1:] == ["usage is written again; 0 calls were not counted"]
    assert sums(ledger) == {"m": (3, 0, 30, 15, 1.5)}
    assert len(newest(ledger.path, 10)) == 3


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_something_odd_in_place_of_the_file(ledger: UsageLedger, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """It is neither waited for nor read without end, by who writes and by who reads; what is counted is kept."""
    path = ledger.path
    {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "folder": Path.mkdir}[kind](path)
    ledger(event())
    ledger.flush()
    assert len(warnings(caplog)) == 1
    with pytest.raises(UsageUnreadable, match=r"it is (not a regular file|a folder)"):
        sums(ledger)
    path.rmdir() if kind == "folder" else path.unlink()
    ledger.flush()
    assert sums(ledger)["m"][0] == 1
    ledger.close()


def test_a_full_disk(ledger: UsageLedger, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be written halfway is written whole afterwards, once."""
    ledger(event())
    ledger.flush()
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most[1]))
    try:
        for number in range(1000):
            ledger(event(f"a model with a long name {number}"))
        ledger.flush()
        ledger.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert len(warnings(caplog)) == 1
    assert sums(ledger) == {"m": (1, 0, 10, 5, 0.5)}
    ledger.flush()
    assert sum(one[0] for one in sums(ledger).values()) == 1001
    ledger.close()


def test_there_is_a_bound_while_it_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is over it is counted as dropped, and told."""
    ledger = UsageLedger(tmp_path / "j.yaml", Usage(file="folder/u.db"))
    for number in range(20_005):
        ledger(event(str(number)))
    ledger.flush()
    assert ledger.dropped == 5
    (tmp_path / "folder").mkdir()
    ledger.close()
    assert warnings(caplog)[1:] == ["usage is written again; 5 calls were not counted"]
    assert len(sums(ledger)) == 20_000


def test_nobody_sums_up(ledger: UsageLedger) -> None:
    """A disk that hangs: memory is bounded all the same."""
    one = event()
    for _ in range(100_010):
        ledger(one)
    assert ledger.dropped == 10
    ledger.close()
    assert sums(ledger)["m"][0] == 100_000


def test_the_file_is_taken_away(ledger: UsageLedger) -> None:
    """A new one is made; nothing goes into the one that nobody sees."""
    ledger(event())
    ledger.flush()
    for file in ledger.path.parent.iterdir():
        file.unlink()
    ledger(event())
    ledger.flush()
    assert sums(ledger)["m"][0] == 1
    ledger.close()


def test_nothing_there(ledger: UsageLedger) -> None:
    """No file, or an empty one, is no usage; neither is made by looking."""
    assert (sums(ledger), newest(ledger.path, 5)) == ({}, [])
    assert not ledger.path.exists()
    ledger.path.touch()
    assert sums(ledger) == {}
