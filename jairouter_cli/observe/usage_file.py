"""The usage file: an SQLite file with hourly totals, and the newest calls one by one.

Several workers write to the same file, each in short transactions (WAL); it can be read at any time, with or without a
gateway. It contains fingerprints of keys, never keys. `usage` decides what is written and when.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from jairouter_cli.config import files, keeping
from jairouter_cli.errors import UsageUnreadable

HOUR_S: Final = 3600

_NEVER: Final = 1 << 62
_VERSION: Final = 1  # of the tables, in PRAGMA user_version
_MODE: Final = 0o600
_BUSY_S: Final = 5.0  # another worker's transaction takes milliseconds
_AGAIN_S: Final = 0.01
_PRIMARY: Final = 0xFF  # the part of an error code that its kinds have in common
_TABLES: Final = """
CREATE TABLE hours (
    hour INTEGER, service TEXT, model TEXT, instance TEXT, key TEXT, source TEXT,
    requests INTEGER, failures INTEGER, input_tokens INTEGER, output_tokens INTEGER, duration_s REAL,
    PRIMARY KEY (hour, service, model, instance, key, source)
) WITHOUT ROWID;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, at REAL, request_id TEXT, service TEXT, model TEXT, instance TEXT, key TEXT,
    status INTEGER, ended TEXT, source TEXT, input_tokens INTEGER, output_tokens INTEGER, duration_s REAL
);
"""
_ADD: Final = """
INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, failures = failures + excluded.failures,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    duration_s = duration_s + excluded.duration_s
"""
_NOTE: Final = "INSERT INTO calls VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_NEWEST: Final = "SELECT * FROM calls {where} ORDER BY id DESC LIMIT ?"


class UsageEntry(NamedTuple):
    """What calls have in common that are summed up; `hour` is in hours since 1970.

    `source` is where their tokens come from, empty where nothing is known of any; `key` is a fingerprint.
    """

    hour: int
    service: str
    model: str
    instance: str
    key: str
    source: str


class Amounts(NamedTuple):
    """Sums of calls; `failures` are those that were not answered well and to their end."""

    requests: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_s: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: "Amounts") -> "Amounts":
        """Return the sums of both."""
        return Amounts(
            self.requests + other.requests,
            self.failures + other.failures,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.duration_s + other.duration_s,
        )


class OneCall(NamedTuple):
    """A single call; `at` is when it ended (seconds since 1970), tokens are None where nothing is known of them."""

    at: float
    request_id: str
    service: str
    model: str
    instance: str
    key: str
    status: int
    ended: str
    source: str
    input_tokens: int | None
    output_tokens: int | None
    duration_s: float


_SUMS: Final = """
SELECT {0}, source, sum(requests), sum(failures), sum(input_tokens), sum(output_tokens), sum(duration_s)
FROM hours WHERE hour >= ? AND hour <= ? GROUP BY {0}, source
"""
# By column: what is asked, so that no name from elsewhere gets into it.
_SUMS_BY: Final = {column: _SUMS.format(column) for column in UsageEntry._fields}


@dataclass(slots=True)
class Account:
    """All that is known of one model, one key, one day...; `by_source` has the tokens by where they come from."""

    name: str
    amounts: Amounts = field(default_factory=Amounts)
    by_source: dict[str, int] = field(default_factory=dict)

    def add(self, source: str, amounts: Amounts) -> None:
        """Put more into it."""
        self.amounts = self.amounts.plus(amounts)
        if source:
            self.by_source[source] = self.by_source.get(source, 0) + amounts.tokens


def place(config: Path, named: str | None, state_dir: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the file is: as `usage.file` names it, from the configuration's folder, or with what is kept."""
    place = keeping.anchor(config)
    if named is not None:
        return place.parent / Path(named).expanduser()
    return keeping.folder(config, state_dir, environ) / f".{place.name}.usage.db"


class UsageFile:
    """The file, to be written; opened by the first that is added, closed by `close`. Use it in one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def add(
        self, sums: Mapping[UsageEntry, Amounts], calls: Sequence[OneCall], oldest: int | None, keep_calls: int
    ) -> None:
        """Add in one transaction, and forget what is too old. Raises `sqlite3.Error`, `OSError`; then nothing is added.

        Of the sums those before the hour `oldest` are forgotten, of the calls all but the last `keep_calls`.
        """
        with self._transaction() as connection:
            connection.executemany(_ADD, ((*entry, *amounts) for entry, amounts in sums.items()))
            connection.executemany(_NOTE, calls[-keep_calls:] if keep_calls else ())
            connection.execute("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?", (keep_calls,))
            if oldest is not None:
                connection.execute("DELETE FROM hours WHERE hour < ?", (oldest,))

    def forget(self, before: float) -> int:
        """Forget what was before that time, in whole hours; return how many sums. Raises as `add`."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM calls WHERE at < ?", (before,))
            return connection.execute("DELETE FROM hours WHERE hour < ?", (before // HOUR_S,)).rowcount

    def close(self) -> None:
        """Close the file; the next `add` opens it again."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):  # it is broken, and whoever used it has heard so
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._begun()
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            self.close()  # which takes back what was begun
            raise

    def _begun(self) -> sqlite3.Connection:
        """Begin a transaction, as soon as others let it.

        SQLite itself does not wait where two turn a new file to WAL, or one leaves it as the last: it would be a loop.
        """
        end = time.monotonic() + _BUSY_S
        while True:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                self.close()
                time.sleep(_AGAIN_S)
            else:
                return connection

    def _open(self) -> sqlite3.Connection:
        """Return the connection; a new one if the file was replaced or removed."""
        if self._connection is not None:
            with suppress(OSError):
                if os.stat(self.path).st_ino == self._inode:  # noqa: PTH116 - once per flush
                    return self._connection
            self.close()
        with suppress(FileNotFoundError):
            files.check_regular(self.path)  # SQLite would wait for a pipe
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _MODE))  # SQLite gives its other files the same mode
        connection = sqlite3.connect(self.path, _BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._inode = self.path.stat().st_ino
        self._connection = connection
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in a new file. Raises `sqlite3.Error` for a file of another version."""
    if _version(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:  # another worker may have been faster
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    _check(connection)


def _check(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version > _VERSION:
        message = f"it has version {version}, from a newer jairouter; this one supports {_VERSION}"
        raise sqlite3.DatabaseError(message)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def accounts(path: Path, column: str, since: float, until: float | None = None) -> list[Account]:
    """Return the accounts of every value of a column of `UsageEntry` in a span of time, widened to whole hours.

    Without an end it has none, not even the present: what was counted while the clock was ahead belongs to it, too.

    In the order of their tokens, the most first; by hour in the order of time. None of them if there is no file yet.
    Raises `UsageUnreadable`.
    """
    span = (int(since // HOUR_S), _NEVER if until is None else int(until // HOUR_S))
    found: dict[str, Account] = {}
    for name, source, *amounts in _read(path, _SUMS_BY[column], span):
        found.setdefault(str(name), Account(str(name))).add(source, Amounts(*amounts))
    if column == "hour":
        return sorted(found.values(), key=lambda one: int(one.name))
    return sorted(found.values(), key=lambda one: (-one.amounts.tokens, -one.amounts.requests, one.name))


def grouped(hours: Iterable[Account], pattern: str) -> list[Account]:
    """Return accounts by hour as accounts of longer times, named as `strftime` names them in the machine's zone."""
    found: dict[str, Account] = {}
    for one in hours:
        name = time.strftime(pattern, time.localtime(int(one.name) * HOUR_S))
        whole = found.setdefault(name, Account(name))
        whole.amounts = whole.amounts.plus(one.amounts)
        for source, tokens in one.by_source.items():
            whole.by_source[source] = whole.by_source.get(source, 0) + tokens
    return list(found.values())


def total(parts: Iterable[Account]) -> Account:
    """Return one account of all."""
    whole = Account("")
    for one in parts:
        whole.amounts = whole.amounts.plus(one.amounts)
        for source, tokens in one.by_source.items():
            whole.by_source[source] = whole.by_source.get(source, 0) + tokens
    return whole


def newest(path: Path, most: int, model: str | None = None) -> list[OneCall]:
    """Return the newest calls, the last one first; only those to one model if it is named. Raises `UsageUnreadable`."""
    where, values = ("", ()) if model is None else ("WHERE model = ?", (model,))
    return [OneCall(*row[1:]) for row in _read(path, _NEWEST.format(where=where), (*values, most))]


def _read(path: Path, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return what is found; nothing where there is no file yet, or an empty one."""
    try:
        if not path.exists():
            return []
        files.check_regular(path)
        with closing(_readable(path)) as connection:
            if _version(connection) == 0:
                return []
            _check(connection)
            return connection.execute(query, values).fetchall()
    except (sqlite3.Error, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageUnreadable(file=str(path), reason=reason) from None


def _readable(path: Path) -> sqlite3.Connection:
    """Open the file to be read only; as it lies there if the folder may not be written, as its other files need."""
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", _BUSY_S, uri=True)
    try:
        _version(connection)
    except sqlite3.OperationalError:
        connection.close()
        connection = sqlite3.connect(f"{uri}?immutable=1", _BUSY_S, uri=True)
    return connection
