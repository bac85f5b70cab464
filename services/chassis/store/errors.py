"""Errors of a database, by what the caller can do about them.

DatabaseSettingsError      fix the settings; the process cannot start with them
StoreOverloadedError       retry later; the queue is full, nothing was written
StoreUnavailableError      retry later; the store failed, the write may or may not have happened
"""


class DatabaseSettingsError(Exception):
    """The database URL cannot be used."""


class StoreOverloadedError(Exception):
    """The queue for the database is full; this work was not accepted."""


class StoreUnavailableError(Exception):
    """The store did not do the work: no lock in time, disk full, I/O error, lost connection.

    The caller must repeat with the same request_id, as with every UNAVAILABLE: the COMMIT may have
    happened even though its answer was lost.
    """
