"""Statements with an `IN` list of any length, from a few prepared texts.

A list cannot be bound as one parameter, so each length needs its own text. Lengths are rounded up
to a power of two; the list is padded with its last value, which does not change the result.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam

from services.chassis.store.prepared import Prepared


class PreparedIn:
    """`statement` restricted to rows whose `column` is one of the values of each call."""

    def __init__(self, statement: Select[Any], column: ColumnElement[Any]) -> None:
        self._statement = statement
        self._column = column
        self._by_length: dict[int, Prepared] = {}

    def all(
        self, connection: Connection, values: Sequence[object], **others: object
    ) -> Sequence[Any]:
        """All rows as tuples; none for an empty list. `others` are the other parameters."""
        if not values:
            return ()
        length = 1 << (len(values) - 1).bit_length()
        bound = {f"in_{index}": value for index, value in enumerate(values)}
        bound.update((f"in_{index}", values[-1]) for index in range(len(values), length))
        return self._of(length).all(connection, **bound, **others)

    def _of(self, length: int) -> Prepared:
        if length not in self._by_length:
            parameters: list[BindParameter[Any]] = [
                bindparam(f"in_{index}") for index in range(length)
            ]
            self._by_length[length] = Prepared(self._statement.where(self._column.in_(parameters)))
        return self._by_length[length]
