"""The queries of callers and operators: what to read, without how it is stored.

The store reads one row more than `page_size`, which shows whether another page follows.
"""

from dataclasses import dataclass
from datetime import datetime

from services.order.domain.state import OrderState


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which version of an order to read; the newest when neither version is set."""

    order_id: str
    min_version: int | None = None
    as_of_version: int | None = None


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list, the newest first; an unset field matches every order.

    `after` is the sort key (create time in microseconds, order id) of the last row already seen.
    """

    page_size: int
    customer_id: str = ""
    states: tuple[OrderState, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    after: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class OrderListQuery:
    """Which orders to list, and the position of the feed that the list must have reached."""

    rows: OrderFilter
    min_position: int


@dataclass(frozen=True, slots=True)
class AuditTrailQuery:
    """A page of the events of an order after a version."""

    order_id: str
    after_version: int
    page_size: int


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """The order to follow after a version, until it is final or only until it is settled."""

    order_id: str
    after_version: int
    until_final: bool


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """The customer to summarize, and the position of the order feed to include."""

    customer_id: str
    min_position: int


@dataclass(frozen=True, slots=True)
class SagaFilter:
    """Which sagas to list, the oldest first; an unset field matches every saga.

    `after` is the sort key (create time in microseconds, order id) of the last row already seen.
    """

    page_size: int
    placed_before: datetime | None = None
    state: OrderState | None = None
    needs_review: bool | None = None
    after: tuple[int, str] | None = None
