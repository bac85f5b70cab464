"""Stores the customer summary in its tables, inside the caller's transaction."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection

from services.chassis.store.unit.needs import Entry, Needs
from services.chassis.store.unit.rows import Rows
from services.order.summary.summary_tables import SummaryTables, summary_tables
from services.order.summary.totals import CountedOrder, MoneyMovement, Spend, Totals, add, count


class SummaryStore:
    """Counts orders and payments in one set of tables."""

    def __init__(self, tables: SummaryTables) -> None:
        self._orders = Rows(tables.orders)
        self._payments = Rows(tables.payments, by=("order_id",))
        self._totals = Rows(tables.totals)
        self._spend = Rows(tables.spend, by=("customer_id",))

    def needs(self, order_id: str, customer_id: str = "") -> Needs:
        """What counting an order or its money reads; `customer_id` if it is not stored yet."""
        yield self._payments.need(order_id)
        yield self._orders.need(order_id, then=self._needs_of_stored)
        if customer_id:
            yield from self._needs_of_customer(customer_id)

    def order(self, connection: Connection, order_id: str) -> CountedOrder:
        """Return what was counted of an order; an empty value for a new one."""
        row = self._orders.one(connection, order_id)
        if row is None:
            return CountedOrder(order_id)
        _, customer_id, place_micros, is_confirmed, is_given_back = row
        return CountedOrder(
            order_id, customer_id, place_micros, bool(is_confirmed), bool(is_given_back)
        )

    def update(self, connection: Connection, before: CountedOrder, after: CountedOrder) -> None:
        """Store what is newly known about an order, and count it for its customer."""
        values = {
            "order_id": after.order_id,
            "customer_id": after.customer_id,
            "place_time": after.place_micros,
            "is_confirmed": int(after.is_confirmed),
            "is_sent_back": int(after.is_given_back),
        }
        self._orders.put(connection, values)
        customer_id = after.customer_id
        if not customer_id:
            return
        self._count(connection, customer_id, before, after)
        if before.customer_id:
            return
        for order_id, entry_id, *moved in self._payments.all(connection, after.order_id):
            self._add_spend(connection, customer_id, MoneyMovement(order_id, entry_id, *moved))

    def add(self, connection: Connection, movement: MoneyMovement) -> None:
        """Count a movement of money once; a repetition changes nothing.

        Money of an order whose customer is not known yet is stored, and counted by `update`.
        """
        known = self._payments.all(connection, movement.order_id)
        if any(entry_id == movement.entry_id for _, entry_id, *_ in known):
            return
        self._payments.put(connection, asdict(movement))
        customer_id = self.order(connection, movement.order_id).customer_id
        if customer_id:
            self._add_spend(connection, customer_id, movement)

    def forget(self, connection: Connection, order_ids: Iterable[str]) -> None:
        """Forget that these orders and their money were counted; the totals keep them."""
        for order_id in order_ids:
            self._orders.delete(connection, order_id)
            self._payments.delete(connection, order_id)

    def totals(self, connection: Connection, customer_id: str) -> Totals:
        """Return the totals of a customer; zero when there are no orders."""
        row = self._totals.one(connection, customer_id)
        return Totals(customer_id) if row is None else Totals(*row)

    def spend(self, connection: Connection, customer_id: str) -> tuple[Spend, ...]:
        """Return what a customer spent, for each currency."""
        return tuple(Spend(*row[1:]) for row in self._spend.all(connection, customer_id))

    def _count(
        self, connection: Connection, customer_id: str, before: CountedOrder, after: CountedOrder
    ) -> None:
        totals = count(self.totals(connection, customer_id), before, after)
        values = {
            "customer_id": customer_id,
            "order_count": totals.order_count,
            "confirmed_count": totals.confirmed_count,
            "last_order_id": totals.last_order_id,
            "last_order_time": totals.last_order_micros,
        }
        self._totals.put(connection, values)

    def _add_spend(self, connection: Connection, customer_id: str, movement: MoneyMovement) -> None:
        currency_code = movement.currency_code
        spends = {each.currency_code: each for each in self.spend(connection, customer_id)}
        spend = add(spends.get(currency_code, Spend(currency_code)), movement)
        self._spend.put(connection, {"customer_id": customer_id, **asdict(spend)})

    def _needs_of_stored(self, orders: Entry) -> Needs:
        return (
            need
            for _, customer_id, *_ in orders
            if customer_id
            for need in self._needs_of_customer(customer_id)
        )

    def _needs_of_customer(self, customer_id: str) -> Needs:
        return (self._totals.need(customer_id), self._spend.need(customer_id))


SUMMARY = SummaryStore(summary_tables())
