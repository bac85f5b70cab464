"""The interface for what differs between SQLite and PostgreSQL: locks, transactions and errors.

Only the writer and the readers use a dialect; store functions use SQLAlchemy Core and never see
one. All methods block. A connection is used by one thread at a time.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection


class Dialect(Protocol):
    """Locks, transactions and error classes of one kind of database."""

    def open_writer(self) -> Connection:
        """Open the writer's connection, durable at COMMIT; called while the lock is held."""
        ...

    def open_reader(self) -> Connection:
        """Open a connection that refuses to write, outside a transaction."""
        ...

    def lock(self) -> None:
        """Wait without a time limit for the lock that all writers of one service share.

        Does nothing if `begin` takes the lock inside the database. Raises OSError.
        """
        ...

    def unlock(self) -> None:
        """Release the lock; does nothing if it is not held. Never raises."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begin a write transaction; waits a limited time for the lock if `lock` does nothing."""
        ...

    def limit_reads(
        self, connection: Connection, is_over: Callable[[], bool]
    ) -> Callable[[], None] | None:
        """Make a statement of this reader end early, when it then fails like the store.

        A driver that can asks `is_over` on the reader's thread again and again. Otherwise it
        returns what asks the server, without waiting, to end the running statement. Another thread
        calls that, even while the reader's own closes the connection. It may end the next statement
        instead, so the connection must not be used again.
        """
        ...

    def begin_statements(self, connection: Connection) -> bool:
        """Begin a read that needs no snapshot; whether it began a transaction, for `rollback`."""
        ...

    def begin_snapshot(self, connection: Connection) -> None:
        """Begin a read: until `rollback`, all statements see the database as of one instant."""
        ...

    def savepoint(self, connection: Connection) -> None:
        """Set the savepoint to which `rollback_to_savepoint` returns."""
        ...

    def rollback_to_savepoint(self, connection: Connection) -> None:
        """Undo everything since `savepoint`."""
        ...

    def pipeline(self, connection: Connection) -> AbstractContextManager[object]:
        """Send the statements of the block together and wait once, where the database can.

        A statement may then fail at the end of the block only.
        """
        ...

    def commit(self, connection: Connection) -> None:
        """Make the transaction durable."""
        ...

    def rollback(self, connection: Connection) -> None:
        """Undo the transaction, or end the snapshot."""
        ...

    def is_open(self, connection: Connection) -> bool:
        """Whether a transaction is still open; some failures end it without a rollback from us."""
        ...

    def is_aborted(self, connection: Connection) -> bool:
        """Whether a failed statement forces the open transaction back to its savepoint.

        PostgreSQL refuses all further statements then; SQLite never does.
        """
        ...

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Whether `begin` gave up waiting for the lock; it may be called again."""
        ...

    def is_store_failure(self, error: BaseException) -> bool:
        """Whether the store itself failed (disk full, I/O, lost connection, locked).

        A violated constraint or a wrong statement is not such a failure.
        """
        ...

    def is_settings_fault(self, error: BaseException) -> bool:
        """Whether only other settings help: a wrong password, no such database, no such file.

        In doubt it is not: the server may still be on its way.
        """
        ...

    def cut_silent(self, now_s: float, limit_s: float) -> bool:
        """Break connections whose statement is unanswered for `limit_s`; whether there was one.

        For the event loop, again and again. The thread that waits gets a failure of the store.
        """
        ...

    def mark_owner(self, connection: Connection, owner: str) -> bool:
        """Mark `owner` as alive until this process ends; whether the mark can be kept.

        `connection` is the writer's; one that replaces it takes the mark over.
        """
        ...

    def has_ended(self, connection: Connection, owner: str) -> bool:
        """Whether the process has ended that marked `owner` as alive; in a snapshot.

        A process that is slow, stopped or out of reach has not ended.
        """
        ...

    def release_owners(self) -> None:
        """Release this process's marks that do not end with its connections. Never raises."""
        ...

    def is_stale(self, connection: Connection) -> bool:
        """Whether to replace the connection before its next transaction."""
        ...

    def close(self, connection: Connection) -> None:
        """Close the connection in any state, and roll back its open transaction. Never raises."""
        ...


def owner_number(owner: str) -> int:
    """A number of 64 bits, with a sign, for the mark of an owner."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], "big", signed=True)
