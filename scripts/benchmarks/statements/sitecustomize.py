"""Counts the SQLite statements of a Python program that has this folder on PYTHONPATH.

Python imports a module of this name before the program, so the program needs no switch for it, nor
does another revision of it. Each statement appends a letter to the file of its database in the
folder that SQLITE_STATEMENTS names: `C` for a commit, `w` for one of a transaction that was
committed, `r` for any other. Standard library only.
"""

import os
import sqlite3
from functools import cache
from pathlib import Path
from sqlite3 import dbapi2
from typing import Any

_FOLDER = Path(os.environ["SQLITE_STATEMENTS"])
# SQLite calls the trace for a trigger's statements, too; their text begins like this.
_BY_TRIGGER = "--"


def _connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    """Connect as sqlite3 does, and count the statements of the connection."""
    connection = sqlite3.Connection(*arguments, **options)
    file = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    connection.set_trace_callback(_Counter(_letters_of(file.stem)).count)
    return connection


class _Counter:
    """Appends the letters of one connection, those of a transaction at its end."""

    def __init__(self, letters: int) -> None:
        self._letters = letters
        # The statements of the open transaction; 0 outside of one.
        self._open = 0

    def count(self, text: str) -> None:
        if text.startswith(_BY_TRIGGER):
            return
        if text == "COMMIT":
            os.write(self._letters, b"w" * self._open + b"C")
            self._open = 0
        elif text == "ROLLBACK" or not (self._open or text.startswith("BEGIN")):
            os.write(self._letters, b"r" * (self._open + 1))
            self._open = 0
        else:
            self._open += 1


@cache
def _letters_of(database: str) -> int:
    """The descriptor of the database's file; what several processes append is kept whole."""
    return os.open(_FOLDER / database, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


# SQLAlchemy looks its function up with each connection, in the second of these.
sqlite3.connect = dbapi2.connect = _connect  # type: ignore[assignment]
