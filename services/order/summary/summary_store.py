"""Stores the customer summary in its tables, inside the caller's transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, TextClause, bindparam, insert, select, text

from services.chassis.store.prepared import Prepared
from services.order.summary.summary_tables import SummaryTables, summary_tables
from services.order.summary.totals import CountedOrder, MoneyMovement, Spend, Totals, add, count


class SummaryStore:
    """Counts orders and payments in one set of tables."""

    def __init__(self, tables: SummaryTables) -> None:
        self._orders = _Rows(tables.orders)
        self._payments = _Rows(tables.payments)
        self._totals = _Rows(tables.totals)
        self._spend = _Rows(tables.spend)

    def order(self, connection: Connection, order_id: str) -> CountedOrder:
        """Return what was counted of an order; an empty value for a new one."""
        row = self._orders.get(connection, order_id)
        if row is None:
            return CountedOrder(order_id)
        customer_id, place_micros, is_confirmed, is_given_back = row
        return CountedOrder(
            order_id, customer_id, place_micros, bool(is_confirmed), bool(is_given_back)
        )

    def update(self, connection: Connection, before: CountedOrder, after: CountedOrder) -> None:
        """Store what is newly known about an order, and count it for its customer."""
        self._orders.put(
            connection,
            after.order_id,
            values=(
                after.customer_id,
                after.place_micros,
                int(after.is_confirmed),
                int(after.is_given_back),
            ),
        )
        customer_id = after.customer_id
        if not customer_id:
            return
        totals = count(self.totals(connection, customer_id), before, after)
        self._totals.put(
            connection,
            customer_id,
            values=(
                totals.order_count,
                totals.confirmed_count,
                totals.last_order_id,
                totals.last_order_micros,
            ),
        )
        if before.customer_id:
            return
        for entry_id, *moved in self._payments.list(connection, after.order_id):
            self._add_spend(
                connection, customer_id, MoneyMovement(after.order_id, entry_id, *moved)
            )

    def add(self, connection: Connection, movement: MoneyMovement) -> None:
        """Count a movement of money once; a repetition changes nothing.

        Money of an order whose customer is not known yet is stored, and counted by `update`.
        """
        if self._payments.get(connection, movement.order_id, movement.entry_id) is not None:
            return
        self._payments.add(
            connection,
            movement.order_id,
            movement.entry_id,
            values=(movement.currency_code, movement.captured_minor, movement.refunded_minor),
        )
        customer_id = self.order(connection, movement.order_id).customer_id
        if customer_id:
            self._add_spend(connection, customer_id, movement)

    def totals(self, connection: Connection, customer_id: str) -> Totals:
        """Return the totals of a customer; zero when there are no orders."""
        row = self._totals.get(connection, customer_id)
        return Totals(customer_id) if row is None else Totals(customer_id, *row)

    def spend(self, connection: Connection, customer_id: str) -> tuple[Spend, ...]:
        """Return what a customer spent, for each currency."""
        return tuple(Spend(*row) for row in self._spend.list(connection, customer_id))

    def _add_spend(self, connection: Connection, customer_id: str, movement: MoneyMovement) -> None:
        currency_code = movement.currency_code
        row = self._spend.get(connection, customer_id, currency_code)
        spend = add(Spend(currency_code, *(row or ())), movement)
        self._spend.put(
            connection,
            customer_id,
            currency_code,
            values=(spend.captured_minor, spend.refunded_minor),
        )


class _Rows:
    """The statements on one table: rows by their whole key, and by the first part of it."""

    def __init__(self, table: Table) -> None:
        names = [column.name for column in table.c if column.primary_key]
        values = [column for column in table.c if not column.primary_key]
        keys = [table.c[name] == bindparam(f"of_{name}") for name in names]
        self._of = tuple(f"of_{name}" for name in names)
        self._columns = (*names, *(column.name for column in values))
        self._get = Prepared(select(*values).where(*keys))
        self._list = Prepared(
            select(*(table.c[name] for name in names[1:]), *values)
            .where(keys[0])
            .order_by(*table.primary_key)
        )
        self._insert = Prepared(insert(table).inline())
        self._put = Prepared(_upsert(table.name, names, [column.name for column in values]))

    def get(self, connection: Connection, *key: str) -> tuple[Any, ...] | None:
        """Return the values of one row."""
        row: tuple[Any, ...] | None = self._get.first(
            connection, **dict(zip(self._of, key, strict=True))
        )
        return row

    def list(self, connection: Connection, first: str) -> list[tuple[Any, ...]]:
        """Return the rows with this first part of the key, without that part, ordered by key."""
        return list(self._list.all(connection, **{self._of[0]: first}))

    def put(self, connection: Connection, *key: str, values: tuple[object, ...]) -> None:
        """Insert or replace a row."""
        self._put.change(connection, **dict(zip(self._columns, (*key, *values), strict=True)))

    def add(self, connection: Connection, *key: str, values: tuple[object, ...]) -> None:
        """Insert a new row."""
        self._insert.change(connection, **dict(zip(self._columns, (*key, *values), strict=True)))


def _upsert(table: str, keys: Sequence[str], values: Sequence[str]) -> TextClause:
    """Return an upsert for both databases: SQLAlchemy has a different construct for each."""
    names = (*keys, *values)
    parameters = ", ".join(f":{name}" for name in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    return text(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({parameters})"  # noqa: S608 - our own names
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


SUMMARY = SummaryStore(summary_tables())
