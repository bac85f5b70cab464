"""The smallest store: notes, each of which can be written once."""

from sqlalchemy import Connection


def create_notes(connection: Connection) -> None:
    """Make the table of the notes."""
    connection.exec_driver_sql("CREATE TABLE note (text TEXT PRIMARY KEY) WITHOUT ROWID")


def add_note(connection: Connection, text: str) -> str:
    """Write one note; a note can be written once."""
    connection.exec_driver_sql("INSERT INTO note VALUES (?)", (text,))
    return text


def add_note_then_fail(connection: Connection, text: str, error: BaseException) -> None:
    """Write a note, then raise `error`."""
    add_note(connection, text)
    raise error


def notes(connection: Connection) -> list[str]:
    """All notes, sorted."""
    return [row[0] for row in connection.exec_driver_sql("SELECT text FROM note ORDER BY text")]
