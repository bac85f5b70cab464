"""The part of a database that differs between SQLite and PostgreSQL, and nothing else.

Store functions speak SQLAlchemy Core and never see a dialect; the writer and the readers speak
to it in the words of a transaction. All methods block; one thread at a time uses a connection.
"""

from typing import Protocol

from sqlalchemy import Connection


class Dialect(Protocol):
    """How one kind of database takes the writers' lock, begins, and tells that it has failed."""

    def open_writer(self) -> Connection:
        """A connection for the writer thread, durable at COMMIT; called while it holds the lock."""
        ...

    def open_reader(self) -> Connection:
        """A connection that refuses to write, outside a transaction."""
        ...

    def lock(self) -> None:
        """Wait, for as long as it takes, for the lock that the writers of one service share.

        Does nothing where `begin` takes that lock inside the database. Raises OSError.
        """
        ...

    def unlock(self) -> None:
        """Let the next writer in; does nothing where no lock is held. Never raises."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begin to write, alone; waits for the lock for a while where `lock` does nothing."""
        ...

    def begin_snapshot(self, connection: Connection) -> None:
        """Begin to read: everything read until `rollback` is of one instant."""
        ...

    def savepoint(self, connection: Connection) -> None:
        """Mark the point to which `rollback_to_savepoint` returns."""
        ...

    def rollback_to_savepoint(self, connection: Connection) -> None:
        """Undo what was done since `savepoint`, and forget the mark."""
        ...

    def commit(self, connection: Connection) -> None:
        """Make the transaction durable."""
        ...

    def rollback(self, connection: Connection) -> None:
        """Undo the transaction, or end the snapshot."""
        ...

    def is_open(self, connection: Connection) -> bool:
        """Whether the transaction still stands; some failures abort all of it by themselves."""
        ...

    def is_spoilt(self, connection: Connection) -> bool:
        """Whether an open transaction must go back to its savepoint, whatever its function says.

        On PostgreSQL a statement that failed spoils all that was done since; on SQLite never.
        """
        ...

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Whether `begin` waited in vain for the lock: nothing is broken, it may wait again."""
        ...

    def is_store_failure(self, error: BaseException) -> bool:
        """Whether `error` says that the store failed (disk full, I/O, lost connection, locked).

        A broken constraint or a wrong statement is not such a failure.
        """
        ...

    def close(self, connection: Connection) -> None:
        """Close the connection in whatever state it is, undoing what it had open. Never raises."""
        ...
