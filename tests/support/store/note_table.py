"""The smallest table for tests: notes, each of which can be written only once."""

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select

NOTE = Table("note", MetaData(), Column("text", String, primary_key=True))


def create_notes(connection: Connection) -> None:
    """Create the table of notes."""
    NOTE.create(connection)


def add_note(connection: Connection, text: str) -> str:
    """Write one note; writing it twice violates the primary key."""
    connection.execute(insert(NOTE).values(text=text))
    return text


def add_note_then_fail(connection: Connection, text: str, error: BaseException) -> None:
    """Write a note, then raise `error`."""
    add_note(connection, text)
    raise error


def notes(connection: Connection) -> list[str]:
    """All notes, sorted."""
    return list(connection.execute(select(NOTE.c.text).order_by(NOTE.c.text)).scalars())
