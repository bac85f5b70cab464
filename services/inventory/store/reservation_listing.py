"""Reads of reservations for callers, each from one snapshot."""

import heapq
from collections.abc import Sequence
from itertools import islice

from sqlalchemy import Connection

from services.chassis.ids import with_prefix
from services.chassis.store.micros import to_micros
from services.inventory.domain.errors import ReservationNotFoundError
from services.inventory.domain.queries import ReservationFilter
from services.inventory.domain.state import Reservation
from services.inventory.store import reservation_rows

# No answer has room for more lines; a thousand large baskets are not all loaded for one page.
MAX_LINES_A_PAGE = 20_000
LOADED_AT_ONCE = 20


def get_reservation(connection: Connection, reservation_id: str) -> Reservation:
    """One reservation. Raises ReservationNotFoundError."""
    found = reservation_rows.load(connection, reservation_id)
    if found is None:
        raise ReservationNotFoundError(reservation_id)
    return found


def list_reservations(
    connection: Connection, wanted: ReservationFilter
) -> tuple[Sequence[Reservation], bool]:
    """The reservations of one page, the oldest first, and whether more follow.

    A page has at most `limit - 1` reservations; fewer where they have very many lines.
    """
    if wanted.order_id:
        return _of_order(connection, wanted), False
    # One index serves every state: reading each state and merging costs less than a second index.
    keys = heapq.merge(
        *(
            reservation_rows.keys_after(connection, state, *wanted.after, wanted.limit)
            for state in wanted.states
        )
    )
    ids = [reservation_id for _, reservation_id in islice(keys, wanted.limit)]
    found = _load(connection, ids[: wanted.limit - 1])
    return found, len(found) < len(ids)


def _load(connection: Connection, ids: Sequence[str]) -> list[Reservation]:
    """The reservations with these ids, until they have as many lines as a page may have."""
    found: list[Reservation] = []
    lines = 0
    for start in range(0, len(ids), LOADED_AT_ONCE):
        found += reservation_rows.load_many(connection, ids[start : start + LOADED_AT_ONCE])
        lines += sum(len(each.lines) for each in found[start:])
        if lines >= MAX_LINES_A_PAGE:
            break
    return found


def _of_order(connection: Connection, wanted: ReservationFilter) -> list[Reservation]:
    """The reservation that has the order's UUID, if the filter selects it."""
    return [
        found
        for found in reservation_rows.load_many(connection, [with_prefix(wanted.order_id, "rsv")])
        if found.state in wanted.states
        and (to_micros(found.create_time), found.reservation_id) > wanted.after
    ]
