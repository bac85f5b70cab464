"""Writes of items and their stock, each in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.log.event_log import EventLog, StreamAppend
from services.chassis.request import request_ids
from services.chassis.request.intention import Intention
from services.chassis.store.unit.needs import Needs
from services.inventory.api.stored_answers import StoredAnswer, answer_once
from services.inventory.domain.commands import AdjustStock, ItemCommand, UpsertItem
from services.inventory.domain.events import ItemEvent
from services.inventory.domain.item_rules import decide, evolve, movements
from services.inventory.domain.state import Movement, StockedItem
from services.inventory.store import item_rows, movement_rows
from services.inventory.wire.events import item_stream, to_new_event
from services.inventory.wire.replies import to_item, to_stock


class ItemWrites:
    """Functions of a connection, to be passed to `Database.write`."""

    def __init__(self, *, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def needs(self, intention: Intention[tuple[UpsertItem, ...]] | Intention[AdjustStock]) -> Needs:
        """What `upsert` and `adjust` read; call it in the caller's context."""
        yield request_ids.need_of(intention.method, intention.request_id)
        command = intention.command
        commands = command if isinstance(command, tuple) else (command,)
        skus = [each.sku for each in commands]
        yield from item_rows.needs_of(skus)
        yield from self._log.needs(*map(item_stream, skus))

    def upsert(
        self, connection: Connection, intention: Intention[tuple[UpsertItem, ...]]
    ) -> StoredAnswer[rpc.UpsertItemsResponse]:
        """Make or change items: all or none. Raises EtagMismatchError."""
        return answer_once(
            connection,
            intention,
            rpc.UpsertItemsResponse,
            lambda: self._upsert(connection, intention.command),
            resource=item_stream(intention.command[0].sku),
            now=self._clock.now(),
        )

    def adjust(
        self, connection: Connection, intention: Intention[AdjustStock]
    ) -> StoredAnswer[rpc.AdjustStockResponse]:
        """Change the units on hand.

        Raises ItemNotFoundError, StockWouldGoNegativeError, StockOverflowError.
        """
        return answer_once(
            connection,
            intention,
            rpc.AdjustStockResponse,
            lambda: self._adjust(connection, intention.command),
            resource=item_stream(intention.command.sku),
            now=self._clock.now(),
        )

    def _upsert(
        self, connection: Connection, upserts: tuple[UpsertItem, ...]
    ) -> rpc.UpsertItemsResponse:
        items = self._carry_out(connection, upserts)
        return rpc.UpsertItemsResponse(items=[to_item(items[each.sku].item) for each in upserts])

    def _adjust(self, connection: Connection, command: AdjustStock) -> rpc.AdjustStockResponse:
        items = self._carry_out(connection, [command])
        return rpc.AdjustStockResponse(stock=to_stock(items[command.sku].level))

    def _carry_out(
        self, connection: Connection, commands: Sequence[ItemCommand]
    ) -> dict[str, StockedItem]:
        """Decide all commands (each is for a different item), then write; returns the new items."""
        items = item_rows.load_items(connection, [command.sku for command in commands])
        decided = {command.sku: decide(command, items.get(command.sku)) for command in commands}
        events_by_sku = {sku: events for sku, events in decided.items() if events}
        if events_by_sku:
            at = self._append(connection, items, events_by_sku)
            self._write(connection, items, events_by_sku, at)
        return items

    def _append(
        self,
        connection: Connection,
        items: Mapping[str, StockedItem],
        events_by_sku: Mapping[str, Sequence[ItemEvent]],
    ) -> datetime:
        """Append to the streams of the items; returns the instant of the append."""
        stored = self._log.append_each(
            connection,
            [
                StreamAppend(
                    item_stream(sku),
                    items[sku].stream_version if sku in items else 0,
                    [to_new_event(event) for event in events],
                )
                for sku, events in events_by_sku.items()
            ],
        )
        return stored[-1].occur_time

    def _write(
        self,
        connection: Connection,
        items: dict[str, StockedItem],
        events_by_sku: Mapping[str, Sequence[ItemEvent]],
        at: datetime,
    ) -> None:
        """Apply the events to the items, and write their rows and movements."""
        known = frozenset(items)
        moved: list[Movement] = []
        initial: list[Movement] = []
        for sku, events in events_by_sku.items():
            for event in events:
                items[sku] = evolve(items.get(sku), event, at)
                (moved if sku in known else initial).extend(movements(event))
        item_rows.save_items(connection, [items[sku] for sku in events_by_sku])
        new = [items[sku].level for sku in events_by_sku if sku not in known]
        item_rows.add_levels(connection, new)
        movement_rows.append_movements(connection, initial, at)
        movement_rows.move(connection, moved, at)
