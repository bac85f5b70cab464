"""Filters of the lists that callers read: which rows, after which key, at most how many."""

from dataclasses import dataclass

from services.payment.domain.state import PaymentState


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """At most `limit` payments, the oldest first.

    `order_id` selects the payments of one order, "" those of all; no `states` mean all states.
    `after` is the creation time in microseconds and the id of the row before the first.
    """

    limit: int
    order_id: str
    states: frozenset[PaymentState]
    after: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """At most `limit` ledger entries after a sequence; "" as payment id means all payments."""

    limit: int
    payment_id: str
    after_sequence: int
