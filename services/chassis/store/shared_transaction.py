"""Runs the functions of one transaction: together in one unit of work, or apart behind savepoints.

Together is the way that nearly every batch goes. If a statement fails, or a function fails whose
changes have been sent already, the transaction is rolled back and the functions run apart: each
sends its changes at its own end, so that only the one that is to blame fails. A function may
therefore run twice, and must change nothing but the database.

Constraints are checked when changes are sent, so they hold for the end of a batch: a function that
violates one is not refused if a later function of its batch has mended the row by then. A function
must not rely on a constraint to refuse what it could look at.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, TextClause, event

from services.chassis.store.dialect import Dialect
from services.chassis.store.job import Job
from services.chassis.store.prepared import tables_of
from services.chassis.store.unit.needs import Need, Needs
from services.chassis.store.unit.unit import Unit, before_statement

# Keys that are read ahead at once: some functions name thousands, and a batch must stay short.
READ_AHEAD_MAX = 2000


class BeginAgainError(Exception):
    """The transaction is to be rolled back, and its functions are to run apart."""


class TransactionLostError(Exception):
    """A failure that ended the whole transaction."""


class SharedTransaction:
    """The functions of one transaction; `take` starts a job if it still may be started."""

    def __init__(
        self,
        dialect: Dialect,
        connection: Connection,
        unit: Unit,
        *,
        take: Callable[[Job], bool],
    ) -> None:
        self._dialect = dialect
        self._connection = connection
        self._unit = unit
        self._take = take

    def read_ahead(self, waiting: Iterable[Job]) -> int:
        """Read what the first functions will need, with one statement for each table.

        Returns for how many of them. Raises BeginAgainError if a key can't be read, and what the
        store raises.
        """
        number = 0
        needs: list[Need] = []
        for job in waiting:
            if number and len(needs) + len(job.needs) > READ_AHEAD_MAX:
                break
            number += 1
            if not job.future.done():
                needs += job.needs
        self._read(needs)
        return number

    def run(self, waiting: deque[Job], taken: list[Job]) -> bool:
        """Run the first waiting function; False if it failed alone and needs a rollback.

        Raises BeginAgainError, and TransactionLostError if the failure ended the transaction.
        """
        job = waiting.popleft()
        if not self._take(job):
            return True
        # From here on it is among those that end with the transaction, whatever happens.
        taken.append(job)
        if self._unit.has_forgotten:
            self._read(job.needs)
        self._unit.begin_function()
        job.run(self._connection)
        self._check(job)
        if self._unit.has_failed and (job.error is None or len(taken) > 1):
            # The changes that could not be sent may be those of another function.
            raise BeginAgainError
        if job.error is None:
            return True
        if self._unit.is_sent or self._dialect.is_aborted(self._connection):
            if len(taken) > 1:
                raise BeginAgainError
            return False
        self._unit.undo_function()
        return True

    def run_apart(self, taken: list[Job], waiting: deque[Job]) -> None:
        """Run functions again, and those that wait for the first time, each behind a savepoint.

        Raises TransactionLostError if a failure ended the transaction.
        """
        again = tuple(taken)
        for job in again:
            self._run_apart(job)
        while waiting and not again:
            job = waiting.popleft()
            if self._take(job):
                taken.append(job)
                self._run_apart(job)

    def commit(self) -> None:
        """Send what is pending, and COMMIT.

        Raises BeginAgainError if what is pending violates a constraint, and what COMMIT raises.
        """
        is_flushed = False
        try:
            with self._dialect.pipeline(self._connection):
                self._unit.flush()
                is_flushed = True
                self._dialect.commit(self._connection)
        except Exception as error:
            self._blame_store(error)
            if is_flushed and not self._dialect.is_aborted(self._connection):
                # It was COMMIT that failed.
                raise
            raise BeginAgainError from error

    def _read(self, needs: Needs) -> None:
        try:
            self._unit.read(needs)
        except Exception as error:
            self._blame_store(error)
            raise BeginAgainError from error

    def _run_apart(self, job: Job) -> None:
        self._dialect.savepoint(self._connection)
        self._unit.begin_function()
        job.run(self._connection)
        self._check(job)
        if job.error is None:
            try:
                self._unit.flush()
            except Exception as error:  # noqa: BLE001 - it is raised in the caller
                job.error, job.result = error, None
                self._check(job)
        if job.error is not None:
            self._dialect.rollback_to_savepoint(self._connection)
            self._unit.forget()

    def _check(self, job: Job) -> None:
        """Look whether the transaction goes on after a function.

        A function may have caught the error that ended it. Raises TransactionLostError.
        """
        if job.error is not None:
            self._blame_store(job.error)
        if not self._dialect.is_open(self._connection):
            raise TransactionLostError from job.error
        if job.error is None and self._dialect.is_aborted(self._connection):
            job.error = RuntimeError("the function went on after a statement had failed")

    def _blame_store(self, error: BaseException) -> None:
        """Raise TransactionLostError if the store has failed."""
        if self._dialect.is_store_failure(error):
            raise TransactionLostError from error


def follow_statements(connection: Connection) -> None:
    """Tell the unit of work of each statement that a function executes with SQLAlchemy itself."""

    @event.listens_for(connection, "before_cursor_execute")
    def _before(
        _: Connection, __: object, text: str, ___: object, context: Any, ____: object
    ) -> None:
        statement = context.invoked_statement
        if statement is None or isinstance(statement, TextClause):
            is_read = text.lstrip()[:6].upper() == "SELECT"
            before_statement(connection, frozenset(), None if is_read else "")
        else:
            before_statement(connection, *tables_of(statement))
