"""Checksums of read models: equal for equal rows, whatever the order in which they are read."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Table, select
from tradepost.order.v1 import order_pb2

from services.order.summary.summary_tables import SummaryTables

_BITS = 64
_FETCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Checksum:
    """How many rows there are, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.total:016x}"


def of_view(connection: Connection, table: Table) -> Checksum:
    """Sum up all orders; messages count by their fields, not by their stored bytes."""
    return _sum(repr((*row[:-1], _canonical(row[-1]))) for row in _rows(connection, table))


def of_summary(connection: Connection, tables: SummaryTables) -> Checksum:
    """Sum up all tables of the summary; the number of rows is that of the totals."""
    parts = [
        _sum(f"{number}{tuple(row)!r}" for row in _rows(connection, table))
        for number, table in enumerate(tables.all)
    ]
    total = sum(part.total for part in parts) % 2**_BITS
    return Checksum(parts[tables.all.index(tables.totals)].rows, total)


def _rows(connection: Connection, table: Table) -> Iterable[tuple[Any, ...]]:
    found = connection.execute(select(table)).yield_per(_FETCH_ROWS)
    return (tuple(row) for row in found)


def _canonical(message: bytes) -> bytes:
    return order_pb2.Order.FromString(message).SerializeToString(deterministic=True)


def _sum(rows: Iterable[str]) -> Checksum:
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(blake2b(row.encode(), digest_size=_BITS // 8).digest())
    return Checksum(count, total % 2**_BITS)
