"""The tables and rows that make up an order, and the totals that change with the number of
orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table, and the condition by which its rows belong to orders.

    The column `numbered` of a copy is shifted by the range of that column in `numbered_like`.
    """

    table: str
    where: str = "1 = 1"
    numbered: str = ""
    numbered_like: str = ""


_OF_ORDERS = "stream NOT LIKE 'itm~_%' ESCAPE '~'"
_EVENT = SourceTable("event", _OF_ORDERS, "position", f"event WHERE {_OF_ORDERS}")
_REQUEST = SourceTable("request", "method <> 'UpsertItems'")
_MOVED = "reservation_id <> ''"
SOURCES: Mapping[str, Sequence[SourceTable]] = {
    "order": (
        _EVENT,
        SourceTable("order_view", numbered="position", numbered_like="event"),
        SourceTable("summary_order"),
        SourceTable("summary_payment"),
        _REQUEST,
    ),
    "inventory": (
        _EVENT,
        SourceTable("reservation"),
        SourceTable("reservation_line"),
        SourceTable("stock_movement", _MOVED, "sequence", f"stock_movement WHERE {_MOVED}"),
        _REQUEST,
    ),
    "payment": (
        SourceTable("payment"),
        SourceTable("ledger_entry", numbered="sequence", numbered_like="ledger_entry"),
        _EVENT,
        _REQUEST,
    ),
    "processor": (
        SourceTable("processor_entry", numbered="sequence", numbered_like="processor_entry"),
        SourceTable("processor_call"),
    ),
}
_HEAD = "UPDATE event_counter SET position = (SELECT max(position) FROM event)"
# Consumers are named after the feed they follow. They skip the copies, which are all settled.
_CONSUMERS = tuple(
    f"UPDATE subscription SET position = :{store}_head WHERE consumer LIKE '%-of-{facts}'"  # noqa: S608
    for store, facts in (
        ("order", "orders"),
        ("payment", "payments"),
        ("inventory", "reservations"),
    )
)
# Every order exists :times times, so every total is multiplied by it.
_SUMMARIES = tuple(
    f"UPDATE {table} SET {', '.join(f'{column} = {column} * :times' for column in columns)}"  # noqa: S608
    for table, columns in (
        ("customer_summary", ("order_count", "confirmed_count")),
        ("customer_spend", ("captured_minor", "refunded_minor")),
    )
)
TOTALS: Mapping[str, Sequence[str]] = {
    "order": (_HEAD, *_SUMMARIES, *_CONSUMERS),
    "inventory": (_HEAD, "UPDATE stock SET committed = committed * :times", *_CONSUMERS),
    "payment": (_HEAD, *_CONSUMERS),
    "processor": (),
}
