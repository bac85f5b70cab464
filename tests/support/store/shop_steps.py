"""What a write of the shop does: each step is a function of the connection and the shop's tools."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from services.chassis.log.event_log import EventLog, NewEvent, StoredEvent, StreamAppend
from services.chassis.log.event_table import STREAM_HEADS
from services.chassis.request import request_ids
from services.chassis.work.lease import Claim, Leases
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.shop_tables import (
    BASKETS,
    ENTRIES,
    ENTRY_RANKS,
    ITEMS,
    ITEMS_BY_SHELF,
    LINES,
    PRICES,
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the writes of one time and one owner work with."""

    clock: ManualClock
    log: EventLog
    leases: Leases


Step = Callable[..., object]


def put_item(connection: Connection, _: Tools, item: str, shelf: str, amount: int) -> object:
    """Put an item; one that exists stays on its shelf."""
    row = ITEMS.one(connection, item)
    kept = shelf if row is None else row[1]
    values = {"id": item, "shelf": kept, "amount": amount, "label": None}
    ITEMS.put(connection, values)
    return row


def drop_item(connection: Connection, _: Tools, item: str) -> None:
    """Delete an item, which may come back on another shelf."""
    ITEMS.delete(connection, item)


def look_at_shelf(connection: Connection, _: Tools, shelf: str) -> object:
    """The items of a shelf."""
    return ITEMS_BY_SHELF.all(connection, shelf)


def set_price(connection: Connection, _: Tools, region: str, sku: str, cents: int) -> object:
    """Set the price of a region."""
    before = PRICES.one(connection, (region, sku))
    PRICES.put(connection, {"region": region, "sku": sku, "cents": cents})
    return before


def replace_price(connection: Connection, _: Tools, region: str, sku: str, cents: int) -> None:
    """Set the price of a region without reading it."""
    PRICES.replace(connection, {"region": region, "sku": sku, "cents": cents})


def add_basket(connection: Connection, _: Tools, basket: str) -> object:
    """Add a basket, which fails the second time."""
    BASKETS.add(connection, {"id": basket, "owner": "new"})
    return BASKETS.one(connection, basket)


def drop_price(connection: Connection, _: Tools, region: str, sku: str) -> object:
    """Delete the price of a region; the prices of both regions after it."""
    PRICES.delete(connection, (region, sku))
    return PRICES.each(connection, [("north", sku), ("south", sku)])


def put_basket(connection: Connection, _: Tools, basket: str, owner: str) -> object:
    """Give a basket to an owner."""
    BASKETS.put(connection, {"id": basket, "owner": owner})
    return LINES.all(connection, basket)


def put_line(connection: Connection, _: Tools, basket: str, number: int, sku: str) -> object:
    """Put one line into a basket that exists."""
    if BASKETS.one(connection, basket) is None:
        return "no basket"
    LINES.put(connection, {"basket": basket, "number": number, "sku": sku})
    return LINES.all(connection, basket)


def put_lines(connection: Connection, _: Tools, basket: str, skus: Sequence[str]) -> object:
    """Replace the lines of a basket that exists."""
    if BASKETS.one(connection, basket) is None:
        return "no basket"
    rows = [{"basket": basket, "number": n, "sku": sku} for n, sku in enumerate(skus)]
    LINES.put_all(connection, basket, rows)
    return LINES.all(connection, basket)


def drop_basket(connection: Connection, _: Tools, basket: str) -> object:
    """Delete a basket and its lines."""
    lines = LINES.all(connection, basket)
    BASKETS.delete(connection, basket)
    LINES.delete(connection, basket)
    return lines


def add_entry(connection: Connection, _: Tools, account: str, text: str) -> object:
    """Append an entry behind those of its account."""
    (rank,) = ENTRY_RANKS.of(connection, account) or (0,)
    ENTRIES.add(connection, [{"account": account, "rank": rank + 1, "text": text}])
    ENTRY_RANKS.change(connection, account, rank + 1)
    return rank


def append(connection: Connection, tools: Tools, stream: str, number: int, off: int) -> object:
    """Append events to a stream, whose version is taken to be `off` higher than it is."""
    stored = tools.log.append(connection, stream, _version(connection, stream) + off, _new(number))
    return _seen(stored)


def append_each(connection: Connection, tools: Tools, number: int, off: int) -> object:
    """Append events to two streams."""
    appends = [
        StreamAppend(stream, _version(connection, stream) + off, _new(number))
        for stream in ("order", "stock")
    ]
    return _seen(tools.log.append_each(connection, appends))


def read_events(connection: Connection, tools: Tools, stream: str) -> object:
    """The events of a stream, by a statement of its own."""
    return _seen(tools.log.read_stream(connection, stream))


def open_lease(connection: Connection, tools: Tools, subject: str, owner: str) -> object:
    """Open a lease for "us" or for nobody; whether its token is higher than before."""
    before = tools.leases.get(connection, subject)
    claim = tools.leases.open(connection, subject, "work", leased=owner == "us")
    return before is None or claim.token > before.token


def claim_lease(connection: Connection, tools: Tools, subject: str) -> object:
    """Claim a lease; how many attempts it has had."""
    claim = tools.leases.claim(connection, subject)
    return None if claim is None else claim.attempts


def claim_due(connection: Connection, tools: Tools) -> object:
    """Claim all work that is due."""
    claims = tools.leases.claim_due(connection, "work", limit=9)
    return sorted(claim.subject for claim in claims)


def use_lease(connection: Connection, tools: Tools, subject: str, verb: str, behind: int) -> object:
    """Do something as the holder of a lease; `behind` > 0 is the token of an earlier holder."""
    row = tools.leases.get(connection, subject)
    if row is None:
        return "no lease"
    claim = Claim(subject, row.token - behind, row.deadline, row.attempts)
    match verb:
        case "progress":
            tools.leases.progress(connection, claim, step="packed")
        case "postpone":
            tools.leases.postpone(connection, claim, delay_s=0, error="busy")
        case "renew":
            tools.leases.renew(connection, claim)
        case "release":
            tools.leases.release(connection, claim)
        case _:
            tools.leases.close(connection, claim)
    return row.attempts


def ask(connection: Connection, tools: Tools, request_id: str, content: str) -> object:
    """Take a request once."""
    known = request_ids.recall(
        connection, method="Ask", request_id=request_id, fingerprint=content.encode()
    )
    if known is None:
        request_ids.remember(
            connection,
            method="Ask",
            request_id=request_id,
            fingerprint=content.encode(),
            resource=content,
            now=tools.clock.now(),
        )
    return known


def _version(connection: Connection, stream: str) -> int:
    version, _ = STREAM_HEADS.of(connection, stream) or (0, 0)
    return int(version)


def _new(number: int) -> list[NewEvent]:
    return [NewEvent("Sold", b"%d" % each, topic="shop") for each in range(number)]


def _seen(events: Iterable[StoredEvent]) -> list[Any]:
    return [(e.position, e.stream, e.version, e.occur_time, e.payload) for e in events]
