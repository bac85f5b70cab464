"""The smallest store: notes, each of which can be written once."""

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select

NOTE = Table("note", MetaData(), Column("text", String, primary_key=True))


def create_notes(connection: Connection) -> None:
    """Make the table of the notes."""
    NOTE.create(connection)


def add_note(connection: Connection, text: str) -> str:
    """Write one note; a note can be written once."""
    connection.execute(insert(NOTE).values(text=text))
    return text


def add_note_then_fail(connection: Connection, text: str, error: BaseException) -> None:
    """Write a note, then raise `error`."""
    add_note(connection, text)
    raise error


def notes(connection: Connection) -> list[str]:
    """All notes, sorted."""
    return list(connection.execute(select(NOTE.c.text).order_by(NOTE.c.text)).scalars())
