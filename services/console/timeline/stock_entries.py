"""The movements of the order's stock: one entry for all items that moved together."""

from collections.abc import Iterator
from itertools import groupby

from tradepost.inventory.v1.item_pb2 import StockMovement, StockMovementKind

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.texts import enum_word, instant


def stock_entries(record: OrderRecord) -> Iterator[Entry]:
    """One entry for the movements of one kind and instant; its facts are the items."""
    in_order = sorted(record.movements, key=lambda one: one.sequence)
    for _, together in groupby(
        in_order, key=lambda one: (one.kind, one.occur_time.ToNanoseconds())
    ):
        movements = tuple(together)
        first = movements[0]
        kind = enum_word(StockMovementKind, first.kind, "STOCK_MOVEMENT_KIND_")
        items = "1 item" if len(movements) == 1 else f"{len(movements)} items"
        yield Entry(
            time=instant(first.occur_time),
            source=Source.STOCK,
            title=f"{items} {kind}",
            facts=tuple((one.sku, moved(one)) for one in movements),
            actor=first.actor,
            place=first.sequence,
        )


def moved(movement: StockMovement) -> str:
    """What a movement changed: "held -2, committed +2"."""
    deltas = (
        ("on hand", movement.on_hand_delta),
        ("held", movement.held_delta),
        ("committed", movement.committed_delta),
    )
    return ", ".join(f"{name} {delta:+d}" for name, delta in deltas if delta)
