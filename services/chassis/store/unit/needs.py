"""What a write says it will read by key, so that one statement can read it for a whole batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Connection

from services.chassis.store.unit.sql import Row

# A value of the key's column, or a tuple of the values of its columns.
Key: TypeAlias = Any
# The rows of one key.
Entry: TypeAlias = tuple[Row, ...]


class Keyed(Protocol):
    """Something in a table that is read by key."""

    @property
    def name(self) -> str:
        """The name of the table."""
        ...

    def start(self, connection: Connection, keys: Sequence[Key]) -> Sequence[Any]:
        """Execute the statements that read the keys; return their cursors, not yet fetched."""
        ...

    def entries(self, found: Iterable[Row], keys: Sequence[Key]) -> Mapping[Key, Entry]:
        """The entry of each of the keys, made of the rows that the statements found."""
        ...


@dataclass(frozen=True, slots=True)
class Need:
    """A key that a write will read; `then` names further keys, found in what was read.

    A need is a hint: a key that was not named is read when it is asked for, by a statement of its
    own.
    """

    of: Keyed
    key: Key
    then: "Then | None" = None


Needs: TypeAlias = Iterable[Need]
# From what was read of a key to further needs.
Then: TypeAlias = Callable[[Entry], Needs]
