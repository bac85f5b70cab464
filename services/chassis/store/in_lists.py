"""`IN` lists of any length from a few prepared statements.

A list can't be bound, so a statement has one text per length. Lengths are rounded up to a power
of two, and the list is filled up with its own last value, which finds nothing new.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam

from services.chassis.store.prepared import Prepared


class PreparedIn:
    """`statement` where `column` is one of the values; other `bindparam`s stay as they are."""

    def __init__(self, statement: Select[Any], column: ColumnElement[Any]) -> None:
        self._statement = statement
        self._column = column
        self._by_length: dict[int, Prepared] = {}

    def all(
        self, connection: Connection, values: Sequence[object], **others: object
    ) -> Sequence[Any]:
        """The rows as tuples; none for an empty list."""
        if not values:
            return ()
        length = 1 << (len(values) - 1).bit_length()
        bound = {f"in_{place}": value for place, value in enumerate(values)}
        bound.update((f"in_{place}", values[-1]) for place in range(len(values), length))
        return self._of(length).all(connection, **bound, **others)

    def _of(self, length: int) -> Prepared:
        if length not in self._by_length:
            places: list[BindParameter[Any]] = [bindparam(f"in_{place}") for place in range(length)]
            self._by_length[length] = Prepared(self._statement.where(self._column.in_(places)))
        return self._by_length[length]
