"""Errors of a database, by what the caller can do about them.

DatabaseSettingsError      fix the settings; the process cannot start with them
WrongTablesError           start the version of the service that the tables are of
StoreOverloadedError       retry later; the queue is full, nothing was written
StoreUnavailableError      retry later; the store failed, the write may or may not have happened
  ReadTimeoutError         the read took too long and was ended; ask for less
  StaleServerError         the server is a standby or a former primary; nothing was read or written
  HistoryLostError         the database lost committed events; an operator decides
"""


class DatabaseSettingsError(Exception):
    """The database URL cannot be used."""


class WrongTablesError(Exception):
    """The tables are of another version of the service, such as a newer one."""


class StoreOverloadedError(Exception):
    """The queue for the database is full; this work was not accepted."""


class StoreUnavailableError(Exception):
    """The store did not do the work: no lock in time, disk full, I/O error, lost connection.

    The caller must repeat with the same request_id, as with every UNAVAILABLE: the COMMIT may have
    happened even though its answer was lost.
    """


class ReadTimeoutError(StoreUnavailableError):
    """The read took longer than DATABASE_TIMEOUT_S, and was ended."""


class StaleServerError(StoreUnavailableError):
    """The server may answer from before what was committed: a standby, or a former primary."""


class HistoryLostError(StoreUnavailableError):
    """The database has lost an event that this instance committed or read.

    A standby was promoted that had not received it, or an older state was restored.
    """

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the database lost the event at position {position}, which was committed: a standby"
            " without it was promoted, or a backup was restored. Restart the service after the"
            " command new-epoch"
        )
        self.facts = {"position": str(position)}
