"""What callers do to items and their stock, each in one transaction."""

from datetime import datetime

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.event_log import EventLog
from services.inventory import shelf_store
from services.inventory.answers import Answer, answer_once
from services.inventory.intentions import Intention
from services.inventory.stock import (
    Adjust,
    Command,
    Movement,
    StockedItem,
    Upsert,
    decide,
    evolve,
    movements,
)
from services.inventory.wire import to_item, to_stock
from services.inventory.wire_events import item_stream, to_new_event


class Items:
    """Functions of a connection, for `Database.write`."""

    def __init__(self, *, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def upsert(
        self, connection: Connection, intention: Intention[tuple[Upsert, ...]]
    ) -> Answer[rpc.UpsertItemsResponse]:
        """Make or change items, all or none. Raises EtagMismatchError."""
        return answer_once(
            connection,
            intention,
            rpc.UpsertItemsResponse,
            lambda: self._upsert(connection, intention.command),
            resource=item_stream(intention.command[0].sku),
            now=self._clock.now(),
        )

    def adjust(
        self, connection: Connection, intention: Intention[Adjust]
    ) -> Answer[rpc.AdjustStockResponse]:
        """Raises ItemNotFoundError, StockWouldGoNegativeError, StockOverflowError."""
        return answer_once(
            connection,
            intention,
            rpc.AdjustStockResponse,
            lambda: self._adjust(connection, intention.command),
            resource=item_stream(intention.command.sku),
            now=self._clock.now(),
        )

    def _upsert(
        self, connection: Connection, upserts: tuple[Upsert, ...]
    ) -> rpc.UpsertItemsResponse:
        shelf = shelf_store.load_items(connection, [upsert.sku for upsert in upserts])
        new: list[StockedItem] = []
        changed: list[StockedItem] = []
        at = self._clock.now()
        initial: list[Movement] = []
        for upsert in upserts:
            before = shelf.get(upsert.sku)
            after, moved, at = self._append(connection, upsert, before)
            shelf[upsert.sku] = after
            initial.extend(moved)
            if before is None:
                new.append(after)
            elif after is not before:
                changed.append(after)
        shelf_store.add_items(connection, new)
        shelf_store.change_items(connection, changed)
        shelf_store.append_movements(connection, initial, at)
        return rpc.UpsertItemsResponse(items=[to_item(shelf[each.sku].item) for each in upserts])

    def _adjust(self, connection: Connection, command: Adjust) -> rpc.AdjustStockResponse:
        before = shelf_store.load_items(connection, [command.sku]).get(command.sku)
        after, moved, at = self._append(connection, command, before)
        shelf_store.change_items(connection, [after])
        shelf_store.move(connection, moved, at)
        return rpc.AdjustStockResponse(stock=to_stock(after.level))

    def _append(
        self, connection: Connection, command: Command, before: StockedItem | None
    ) -> tuple[StockedItem, list[Movement], datetime]:
        """Decide and append to the item's stream; the item as it is afterwards, its movements."""
        events = decide(command, before)
        if before is not None and not events:
            return before, [], self._clock.now()
        stored = self._log.append(
            connection,
            item_stream(command.sku),
            0 if before is None else before.stream_version,
            [to_new_event(event) for event in events],
        )
        at = stored[-1].occur_time
        first, *others = events
        after = evolve(before, first, at)
        for event in others:
            after = evolve(after, event, at)
        return after, [movement for event in events for movement in movements(event)], at
