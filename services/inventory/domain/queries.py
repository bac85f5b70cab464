"""Filters of the lists that callers read: which rows, after which key, at most how many."""

from dataclasses import dataclass

from services.inventory.domain.state import ReservationState


@dataclass(frozen=True, slots=True)
class SkuFilter:
    """At most `limit` rows whose SKU sorts after `after_sku`."""

    limit: int
    after_sku: str


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """At most `limit` items whose SKU sorts after `after_sku`.

    `text` selects those whose name or SKU contains it, `skus` those with one of these; "" and ()
    select all.
    """

    limit: int
    after_sku: str
    text: str = ""
    skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationFilter:
    """At most `limit` reservations in one of `states`, the oldest first.

    `order_id` selects one order's, "" those of all orders. `after` is the creation time in
    microseconds and the id of the row before the first.
    """

    limit: int
    states: tuple[ReservationState, ...]
    order_id: str
    after: tuple[int, str]


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """At most `limit` movements after a sequence; "" as SKU or reservation id means any."""

    limit: int
    sku: str
    reservation_id: str
    after_sequence: int
