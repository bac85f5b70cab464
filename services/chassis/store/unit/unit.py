"""The unit of work of one transaction: an identity map of rows, and what is to be written.

Writers run one after another, so nobody else changes what a batch has read before its COMMIT. A
function sees what the functions before it wrote. One that fails is undone in memory; only if its
changes have already been sent to the database does the batch have to begin again.

A function may also execute statements of its own. What is pending is sent before, because they must
see it, and what was read is forgotten after one that writes, because it may have changed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from services.chassis.store.unit.needs import Entry, Key, Keyed, Need, Needs
from services.chassis.store.unit.pipeline import Pipelines
from services.chassis.store.unit.sql import Row
from services.chassis.store.unit.written import Insertable, SecondaryKey, Written

_KEY = "tradepost_unit"


class Unit:
    """What the functions of one transaction have read and changed; used by the writer's thread."""

    def __init__(self, connection: Connection, pipelines: Pipelines) -> None:
        self._connection = connection
        self._pipelines = pipelines
        # What functions see.
        self._entries: defaultdict[Keyed, dict[Key, Entry]] = defaultdict(dict)
        # What the database has of the keys that were changed since the last flush.
        self._stored: defaultdict[Any, dict[Key, Entry]] = defaultdict(dict)
        # Those of these keys whose rows were deleted, and then put again.
        self._renewed: defaultdict[Any, set[Key]] = defaultdict(set)
        self._appended: defaultdict[Insertable, list[Row]] = defaultdict(list)
        self._pending_tables: set[str] = set()
        # Keys that were not read, and have rows among those that are appended.
        self._hidden: set[tuple[Any, Key]] = set()
        # Keys of rows that were added, by the value of another column.
        self._added: defaultdict[tuple[SecondaryKey, Key], list[Key]] = defaultdict(list)
        # How to undo the running function: the entries before it (None: not read), what it added to
        # `_renewed`, and lengths of `_appended`.
        self._before: list[tuple[Any, Key, Entry | None]] = []
        self._renewed_now: list[tuple[Any, Key]] = []
        self._lengths: list[tuple[Insertable, int]] = []
        # Whether the running function's changes cannot be undone in memory any more.
        self.is_sent = False
        # Whether changes could not be sent, maybe those of functions before the running one.
        self.has_failed = False
        # Whether something that was read has been forgotten, for whoever reads ahead.
        self.has_forgotten = False

    def read(self, needs: Needs) -> None:
        """Read what is not known yet of `needs`, and of what they lead to."""
        stage = tuple(needs)
        while stage:
            wanted = self._unknown(stage)
            if wanted:
                self._read(wanted)
            stage = tuple(
                further
                for need in stage
                if need.then is not None
                for further in need.then(self._entries[need.of][need.key])
            )

    def get(self, of: Keyed, key: Key) -> Entry:
        """The rows of a key, as this transaction sees them."""
        try:
            return self._entries[of][key]
        except KeyError:
            self.read([Need(of, key)])
            return self._entries[of][key]

    def known(self, of: Keyed, key: Key) -> Entry | None:
        """The rows of a key if they are known; None if they have not been read."""
        return self._entries[of].get(key)

    def set(self, of: Written, key: Key, after: Entry) -> None:
        """Change the rows of a key."""
        before = self.get(of, key)
        self._before.append((of, key, before))
        self._entries[of][key] = after
        stored = self._stored[of].setdefault(key, before)
        self._pending_tables.add(of.name)
        if before or not after:
            return
        if stored and key not in self._renewed[of]:
            self._renewed[of].add(key)
            self._renewed_now.append((of, key))
        self._index_added(of, key, after)

    def put_unread(self, of: Written, key: Key, after: Entry, stored: Entry) -> None:
        """Like `set`, for a key that need not be read: `stored` is what the database may have."""
        if key in self._entries[of]:
            self.set(of, key, after)
            return
        self._before.append((of, key, None))
        self._entries[of][key] = after
        self._stored[of][key] = stored
        self._pending_tables.add(of.name)
        self._index_added(of, key, after)

    def show(self, of: Keyed, key: Key, after: Entry) -> None:
        """Let functions see another entry, which follows from rows that are written."""
        self._before.append((of, key, self.get(of, key)))
        self._entries[of][key] = after

    def hide(self, of: Keyed, key: Key) -> None:
        """Record that a key, which was not read, has rows among those that are appended.

        They are sent before the key is read.
        """
        self._hidden.add((of, key))

    def added_by(self, by: SecondaryKey, value: Key) -> Iterable[Key]:
        """The keys of rows that were put with this value; they may have changed since."""
        return self._added.get((by, value), ())

    def append(self, to: Insertable, rows: Iterable[Row]) -> None:
        """Append rows to a table."""
        appended = self._appended[to]
        self._lengths.append((to, len(appended)))
        appended.extend(rows)
        self._pending_tables.add(to.name)

    def begin_function(self) -> None:
        """Begin what `undo_function` undoes."""
        self._before.clear()
        self._renewed_now.clear()
        self._lengths.clear()
        self.is_sent = False

    def undo_function(self) -> None:
        """Undo what the function changed; not possible once `is_sent` is set."""
        for of, key, before in reversed(self._before):
            if before is None:
                del self._entries[of][key], self._stored[of][key]
            else:
                self._entries[of][key] = before
        for of, key in self._renewed_now:
            self._renewed[of].discard(key)
        for to, length in reversed(self._lengths):
            del self._appended[to][length:]
        self.begin_function()

    def before_read(self, tables: Collection[str]) -> None:
        """Prepare for a statement of the function's own that reads `tables`; none: any table."""
        if self._pending_tables and (not tables or not self._pending_tables.isdisjoint(tables)):
            self.send()

    def before_write(self, table: str) -> None:
        """Prepare for a statement of the function's own that writes `table`; "": any table."""
        if self._pending_tables:
            self.send()
        self.is_sent = True
        for of in [each for each in self._entries if not table or each.name == table]:
            self.has_forgotten = True
            del self._entries[of]

    def flush(self) -> None:
        """Send what is pending: parents before children, but deletes children first."""
        self.is_sent = self.is_sent or bool(self._before or self._lengths)
        changes = [
            (of, of.difference(self._stored[of], self._entries[of], self._renewed[of]))
            for of in sorted(self._stored, key=_place)
        ]
        for of, change in reversed(changes):
            of.remove(self._connection, change.deleted)
        for of, change in changes:
            of.write(self._connection, change)
        for to in sorted(self._appended, key=_place):
            to.write(self._connection, self._appended[to])
        self._forget_pending()

    def forget(self) -> None:
        """Forget all that was read and all that is pending."""
        self._entries.clear()
        self._added.clear()
        self.begin_function()
        self._forget_pending()

    def send(self) -> None:
        """Send what is pending before the end of the transaction."""
        try:
            with self._pipelines.pipeline(self._connection):
                self.flush()
        except BaseException:
            self.has_failed = True
            raise

    def _forget_pending(self) -> None:
        self._stored.clear()
        self._appended.clear()
        self._renewed.clear()
        self._hidden.clear()
        self._pending_tables.clear()

    def _read(self, wanted: Mapping[Keyed, Sequence[Key]]) -> None:
        if self._hidden and any((of, key) in self._hidden for of in wanted for key in wanted[of]):
            self.send()
        with self._pipelines.pipeline(self._connection):
            started = [(of, keys, of.start(self._connection, keys)) for of, keys in wanted.items()]
        # Rows fetched inside the block would cost a round trip of their own.
        for of, keys, cursors in started:
            found = [row for cursor in cursors for row in cursor.fetchall()]
            self._learn(of, of.entries(found, keys))

    def _index_added(self, of: Written, key: Key, rows: Entry) -> None:
        for by in of.secondary_keys:
            for row in rows:
                self._added[by, by.key_of(row)].append(key)

    def _unknown(self, needs: Iterable[Need]) -> dict[Keyed, list[Key]]:
        wanted: defaultdict[Keyed, dict[Key, None]] = defaultdict(dict)
        for need in needs:
            if need.key not in self._entries[need.of]:
                wanted[need.of][need.key] = None
        return {of: list(keys) for of, keys in wanted.items()}

    def _learn(self, of: Any, entries: Mapping[Key, Entry]) -> None:
        """Keep what was read, except for rows that are known in a newer state."""
        self._entries[of].update(entries)
        rows = getattr(of, "rows", None)
        if rows is not None:
            known = self._entries[rows]
            for entry in entries.values():
                for row in entry:
                    known.setdefault(rows.key_of(row), (row,))


@contextmanager
def unit_of_work(connection: Connection, pipelines: Pipelines) -> Iterator[Unit]:
    """Begin the unit of work of a transaction, which lasts until the block ends.

    What is still pending then is dropped: `flush` before the COMMIT.
    """
    info = connection.info
    unit = info[_KEY] = Unit(connection, pipelines)
    try:
        yield unit
    finally:
        del info[_KEY]


def unit_of(connection: Connection) -> Unit | None:
    """The unit of work of the running write; None in a read."""
    unit: Unit | None = connection.info.get(_KEY)
    return unit


def current_unit(connection: Connection) -> Unit:
    """The unit of work of the running write. Raises RuntimeError in a read."""
    unit = unit_of(connection)
    if unit is None:
        raise RuntimeError("rows are changed in Database.write only")
    return unit


def before_statement(connection: Connection, reads: Collection[str], writes: str | None) -> None:
    """Prepare the running write for a statement of its own; in a read there is nothing to prepare.

    The statement writes the table `writes` ("": any table); if that is None, it only reads `reads`.
    """
    unit = unit_of(connection)
    if unit is None:
        return
    if writes is None:
        unit.before_read(reads)
    else:
        unit.before_write(writes)


def read_ahead(connection: Connection, needs: Needs) -> None:
    """Read the keys that the running write will need, together. Raises RuntimeError in a read."""
    current_unit(connection).read(needs)


def _place(of: Any) -> int:
    place: int = of.place
    return place
