"""The tables of the customer summary; a rebuild fills copies of them under other names."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table


@dataclass(frozen=True, slots=True)
class SummaryTables:
    """The counted orders and payments (`orders`, `payments`), and the sums (`totals`, `spend`)."""

    orders: Table
    payments: Table
    totals: Table
    spend: Table

    @property
    def all(self) -> tuple[Table, ...]:
        """Every table of the summary."""
        return (self.orders, self.payments, self.totals, self.spend)


def summary_tables(suffix: str = "") -> SummaryTables:
    """Return the tables whose names end in `suffix`."""
    metadata = MetaData()

    def table(name: str, *columns: Column[str] | Column[int]) -> Table:
        return Table(f"{name}{suffix}", metadata, *columns, sqlite_with_rowid=False)

    return SummaryTables(
        orders=table(
            "summary_order",
            Column("order_id", String, primary_key=True),
            Column("customer_id", String, nullable=False),
            Column("place_time", BigInteger, nullable=False),
            Column("is_confirmed", Integer, nullable=False),
            Column("is_sent_back", Integer, nullable=False),
        ),
        payments=table(
            "summary_payment",
            Column("order_id", String, primary_key=True),
            Column("entry_id", String, primary_key=True),
            Column("currency_code", String, nullable=False),
            Column("captured_minor", BigInteger, nullable=False),
            Column("refunded_minor", BigInteger, nullable=False),
        ),
        totals=table(
            "customer_summary",
            Column("customer_id", String, primary_key=True),
            Column("order_count", BigInteger, nullable=False),
            Column("confirmed_count", BigInteger, nullable=False),
            Column("last_order_id", String, nullable=False),
            Column("last_order_time", BigInteger, nullable=False),
        ),
        spend=table(
            "customer_spend",
            Column("customer_id", String, primary_key=True),
            Column("currency_code", String, primary_key=True),
            Column("captured_minor", BigInteger, nullable=False),
            Column("refunded_minor", BigInteger, nullable=False),
        ),
    )
