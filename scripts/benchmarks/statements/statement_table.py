"""Counts of statements as a table for people, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.table import Table

from scripts.benchmarks.statements.counted_turns import StatementRow, StoreShare

_NONE = "-"


def as_table(rows: Sequence[StatementRow]) -> Table:
    """A section for each suite and concurrency, with a line for each store."""
    table = Table(
        *("", "", "statements an order", "in commits", "round trips an order", "in commits"),
        "commits an order",
        title="what the databases get",
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        shares = {**row.stores, "total": total(row)}
        heads = (row.suite, f"{row.concurrency} at once")
        for number, (store, share) in enumerate(shares.items()):
            head = heads[number] if number < len(heads) else ""
            table.add_row(head, store, *_cells(share), end_section=store == "total")
    return table


def as_json(row: StatementRow) -> dict[str, Any]:
    """The row in the shape of the other rows; `ours` is the statements an order of all stores."""
    return {
        "name": row.name,
        "ours": total(row).statements,
        "baseline": None,
        "ratio": None,
        "target": None,
        "ok": True,
        "conditions": {
            "concurrency": row.concurrency,
            "orders": row.orders,
            "stores": {store: asdict(share) for store, share in row.stores.items()},
        },
    }


def total(row: StatementRow) -> StoreShare:
    """The sum of all stores; of round trips, of those that have any."""
    sums: dict[str, Any] = {}
    for field in fields(StoreShare):
        values = [getattr(share, field.name) for share in row.stores.values()]
        known = [value for value in values if value is not None]
        sums[field.name] = sum(known) if known else None
    return StoreShare(**sums)


def _cells(share: StoreShare) -> list[str]:
    values = (
        share.statements,
        share.statements_in_commits,
        share.round_trips,
        share.round_trips_in_commits,
        share.commits,
    )
    return [_NONE if value is None else f"{value:,.1f}" for value in values]
