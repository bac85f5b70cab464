"""Fills the databases of a stopped suite with orders that were made long ago.

Some real orders are placed through the API, and their rows copied as often as it takes, with new
ids: each copy is a whole order with its reservation, its payment, its ledger and its processor's
entries, so the books balance over all of them. Placing a hundred thousand would take an hour.

An id begins with its time (`ord_01a213c...`), of which the copies get earlier ones; of a UUID they
get another beginning. Neither changes a length, so both can be replaced inside of messages, too.
"""

import re
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# How an id of ours begins behind its kind, 28 of the 48 bits of its time, and how a UUID begins.
_NAME = re.compile(
    rb"(?P<time>(?<=_)[0-9a-f]{7}(?=[0-9a-f]{5}7[0-9a-f]{3}[89ab][0-9a-f]{15}))"
    rb"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))"
)
# Odd, so that it maps 32 bits onto themselves: copies of a UUID lie far apart.
_SCATTER = 2_654_435_761
_CACHE_KIB = 200_000

Cell = str | bytes | int | float | None
Names = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Source:
    """A table, and which of its rows belong to orders.

    Its column `numbered` goes on from the highest of the same name in `numbered_like`.
    """

    table: str
    where: str = "true"
    numbered: str = ""
    numbered_like: str = ""


_EVENT = _Source("event", "stream NOT LIKE 'itm_%'", "position", "event")
_REQUEST = _Source("request", "method <> 'UpsertItems'")
_SOURCES: Mapping[str, Sequence[_Source]] = {
    "order": (_EVENT, _Source("order_view", "true", "position", "event"), _REQUEST),
    "inventory": (
        _EVENT,
        _Source("reservation"),
        _Source("reservation_line"),
        _Source("stock_movement", "reservation_id <> ''", "sequence", "stock_movement"),
        _REQUEST,
    ),
    "payment": (
        _Source("payment"),
        _Source("ledger_entry", "true", "sequence", "ledger_entry"),
        _EVENT,
        _REQUEST,
    ),
    "processor": (_Source("processor_entry", "true", "sequence", "processor_entry"),),
}
# What is a maximum or a sum of the rows above.
_COUNT = "UPDATE event_counter SET position = (SELECT max(position) FROM event)"
_ADD_UP = """
    UPDATE stock SET committed = moved.committed FROM (
        SELECT sku, sum(committed_delta) AS committed FROM stock_movement GROUP BY sku
    ) AS moved WHERE moved.sku = stock.sku
"""
_TOTALS = {
    "order": (_COUNT,),
    "inventory": (_COUNT, _ADD_UP),
    "payment": (_COUNT,),
    "processor": (),
}


class StoredOrders:
    """Knows the originals, and how often they were copied.

    Made, and filled, while nobody else has the files under `data` open. Whatever orders there are
    when it is made are the originals; they must all be settled.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._rows: dict[tuple[str, str], Sequence[Sequence[Cell]]] = {}
        self._copies = 0
        for store, sources in _SOURCES.items():
            with closing(_open(data, store)) as connection:
                for source in sources:
                    query = f"SELECT * FROM {source.table} WHERE {source.where}"  # noqa: S608
                    self._rows[store, source.table] = connection.execute(query).fetchall()
        self.originals = len(self._rows["order", "order_view"])

    def fill(self, orders: int) -> int:
        """Copy until originals and copies are at least so many; returns how many they are."""
        done, self._copies = self._copies, max(self._copies, -(-orders // self.originals) - 1)
        for store, sources in _SOURCES.items():
            with closing(_open(self._data, store)) as connection:
                connection.execute("BEGIN")
                # Before anything is written, or the second table would go on from the first.
                shifts = [self._shifts(connection, store, source) for source in sources]
                for source, shift in zip(sources, shifts, strict=True):
                    self._copy(connection, store, source, range(done, self._copies), shift)
                for total in _TOTALS[store]:
                    connection.execute(total)
                connection.execute("COMMIT")
        return self.originals * (1 + self._copies)

    def _shifts(self, connection: sqlite3.Connection, store: str, source: _Source) -> range:
        """What is added to the numbers of one copy after another."""
        if not source.numbered:
            return range(1)
        numbers = [int(row[0] or 0) for row in self._rows[store, source.numbered_like]]
        query = f"SELECT max({source.numbered}) FROM {source.numbered_like}"  # noqa: S608
        (highest,) = connection.execute(query).fetchone()
        span = max(numbers) - min(numbers) + 1
        return range(1 + highest - min(numbers), sys.maxsize, span)

    def _copy(
        self,
        connection: sqlite3.Connection,
        store: str,
        source: _Source,
        copies: Sequence[int],
        shifts: range,
    ) -> None:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({source.table})")]
        places = ", ".join("?" for _ in columns)
        insert = f"INSERT INTO {source.table} VALUES ({places})"  # noqa: S608
        forms = [[_form(cell) for cell in row] for row in self._rows[store, source.table]]
        for index, copy in enumerate(copies):
            names = _names(copy + 1)
            rows = [[form(names) for form in row] for row in forms]
            if source.numbered:
                place = columns.index(source.numbered)
                for row in rows:
                    row[place] = int(row[place] or 0) + shifts[index]
            connection.executemany(insert, rows)


def _open(data: Path, store: str) -> sqlite3.Connection:
    """Without a journal: a benchmark that is killed starts afresh anyway.

    A service that opens the file as its writer makes that a write-ahead log again.
    """
    connection = sqlite3.connect(data / f"{store}.db", isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _names(copy: int) -> Names:
    """How ids and UUIDs of a copy begin, in the lengths of what they replace."""
    return {b"time": b"%07x" % copy, b"uuid": b"%08x-ffff" % (copy * _SCATTER % 2**32)}


def _form(cell: Cell) -> Callable[[Names], Cell]:
    """From the names of a copy to this cell of it."""
    raw = cell.encode() if isinstance(cell, str) else cell
    if not isinstance(raw, bytes) or not _NAME.search(raw):
        return lambda _: cell
    form = _NAME.sub(
        lambda found: b"%%(%b)b" % str(found.lastgroup).encode(), raw.replace(b"%", b"%%")
    )
    if isinstance(cell, str):
        return lambda names: (form % names).decode()
    return lambda names: form % names
