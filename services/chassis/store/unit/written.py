"""What the unit of work knows of the tables that it writes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection

from services.chassis.store.unit.difference import Difference
from services.chassis.store.unit.needs import Entry, Key, Keyed
from services.chassis.store.unit.sql import Row


class SecondaryKey(Protocol):
    """A column by which rows are found, too, and which never changes."""

    @property
    def key_of(self) -> Callable[[Row], Any]:
        """The column's value in a row."""
        ...


class Written(Keyed, Protocol):
    """Rows of a table that are written by key."""

    place: int

    @property
    def secondary_keys(self) -> Sequence[SecondaryKey]:
        """The other columns by which they are found."""
        ...

    def difference(
        self,
        stored: Mapping[Key, Entry],
        current: Mapping[Key, Entry],
        renewed: Collection[Key],
    ) -> Difference:
        """The difference between two states of some keys; `renewed` were deleted in between."""
        ...

    def remove(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Delete rows."""
        ...

    def write(self, connection: Connection, change: Difference) -> None:
        """Insert and change rows."""
        ...


class Insertable(Protocol):
    """A table to which rows are appended."""

    name: str
    place: int

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert the rows."""
        ...
