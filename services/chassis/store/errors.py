"""What a database can answer instead of a result, by what the caller can do about it.

DatabaseSettingsError      fix the settings: the process cannot start with them
StoreOverloadedError       retry later: the queue is full, nothing was written
StoreUnavailableError      retry later: the store failed, and what was being written is unknown
"""


class DatabaseSettingsError(Exception):
    """The database URL cannot be used."""


class StoreOverloadedError(Exception):
    """More work waits for the database than it may hold; this work was not accepted."""


class StoreUnavailableError(Exception):
    """The store did not do the work: no lock in time, disk full, I/O error, lost connection.

    As with every UNAVAILABLE, the caller repeats with the same request_id: a commit whose
    answer got lost may have happened.
    """
