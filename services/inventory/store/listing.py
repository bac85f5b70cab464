"""What callers read, each of one snapshot."""

import heapq
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from services.chassis.ids import with_prefix
from services.chassis.store.micros import to_micros
from services.inventory.domain.errors import ItemNotFoundError, ReservationNotFoundError
from services.inventory.domain.reservation import Reservation
from services.inventory.domain.stock import Item, Movement, StockLevel
from services.inventory.store import reservations as store
from services.inventory.store import shelves
from services.inventory.wire.queries import Listed, MovementPage, ReservationPage, SkuPage, cut

# A page of a thousand large baskets would not fit into the 4 MiB that a gRPC client takes.
MAX_LINES_A_PAGE = 20_000
LOADED_AT_ONCE = 20


def items(connection: Connection, page: SkuPage) -> Listed[Item]:
    """A page of items by SKU."""
    rows = shelves.items_after(connection, page.after_sku, page.size + 1)
    return cut(rows, page.size, lambda item: (item.sku,))


def levels(connection: Connection, page: SkuPage) -> Listed[StockLevel]:
    """A page of stock levels by SKU."""
    rows = shelves.levels_after(connection, page.after_sku, page.size + 1)
    return cut(rows, page.size, lambda level: (level.sku,))


def level(connection: Connection, sku: str) -> StockLevel:
    """One stock level. Raises ItemNotFoundError."""
    found = shelves.load_levels(connection, [sku])
    if sku not in found:
        raise ItemNotFoundError(sku)
    return found[sku]


def many_levels(
    connection: Connection, skus: tuple[str, ...]
) -> tuple[list[StockLevel], list[str]]:
    """The levels of the items that exist, and the SKUs of those that don't; in order."""
    found = shelves.load_levels(connection, sorted(set(skus)))
    return [found[sku] for sku in skus if sku in found], [sku for sku in skus if sku not in found]


def movements(connection: Connection, page: MovementPage) -> Listed[tuple[int, Movement, datetime]]:
    """A page of the ledger: sequence, movement, instant."""
    rows = shelves.movements_after(
        connection,
        page.after_sequence,
        page.size + 1,
        sku=page.sku,
        reservation_id=page.reservation_id,
    )
    return cut(rows, page.size, lambda row: (row[0],))


def reservation(connection: Connection, reservation_id: str) -> Reservation:
    """One reservation. Raises ReservationNotFoundError."""
    found = store.load(connection, reservation_id)
    if found is None:
        raise ReservationNotFoundError(reservation_id)
    return found


def reservations(connection: Connection, page: ReservationPage) -> Listed[Reservation]:
    """A page of reservations, the oldest first."""
    if page.order_id:
        return Listed(_of_order(connection, page), None)
    # One index serves every state; reading each and merging costs less than a second index.
    keys = heapq.merge(
        *(
            store.keys_after(connection, state, page.after_micros, page.after_id, page.size + 1)
            for state in page.states
        )
    )
    return _load(connection, cut(list(islice(keys, page.size + 1)), page.size, lambda key: key))


def _load(connection: Connection, keys: Listed[tuple[int, str]]) -> Listed[Reservation]:
    """The reservations of the keys; fewer, where they have more lines than one answer takes."""
    found: list[Reservation] = []
    lines = 0
    for start in range(0, len(keys.rows), LOADED_AT_ONCE):
        ids = [key[1] for key in keys.rows[start : start + LOADED_AT_ONCE]]
        found += store.load_many(connection, ids)
        lines += sum(len(each.lines) for each in found[start:])
        if lines >= MAX_LINES_A_PAGE and len(found) < len(keys.rows):
            return Listed(found, keys.rows[len(found) - 1])
    return Listed(found, keys.next_key)


def _of_order(connection: Connection, page: ReservationPage) -> list[Reservation]:
    """The reservation that shares its UUID with the order, if it is on this page."""
    return [
        found
        for found in store.load_many(connection, [with_prefix(page.order_id, "rsv")])
        if found.state in page.states
        and (to_micros(found.create_time), found.reservation_id)
        > (page.after_micros, page.after_id)
    ]
