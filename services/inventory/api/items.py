"""What callers do to items and their stock, each in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.log.event_log import EventLog, StreamAppend
from services.chassis.request.intention import Intention
from services.inventory.api.answers import Answer, answer_once
from services.inventory.domain.stock import (
    Adjust,
    Command,
    Event,
    Movement,
    StockedItem,
    Upsert,
    decide,
    evolve,
    movements,
)
from services.inventory.store import shelves
from services.inventory.wire.events import item_stream, to_new_event
from services.inventory.wire.replies import to_item, to_stock


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
        shelf = self._carry_out(connection, upserts)
        return rpc.UpsertItemsResponse(items=[to_item(shelf[each.sku].item) for each in upserts])

    def _adjust(self, connection: Connection, command: Adjust) -> rpc.AdjustStockResponse:
        shelf = self._carry_out(connection, [command])
        return rpc.AdjustStockResponse(stock=to_stock(shelf[command.sku].level))

    def _carry_out(
        self, connection: Connection, commands: Sequence[Command]
    ) -> dict[str, StockedItem]:
        """Decide on every command, each of another item, then write all of it; the items after."""
        shelf = shelves.load_items(connection, [command.sku for command in commands])
        decided = {command.sku: decide(command, shelf.get(command.sku)) for command in commands}
        happened = {sku: events for sku, events in decided.items() if events}
        if happened:
            at = self._append(connection, shelf, happened)
            self._write(connection, shelf, happened, at)
        return shelf

    def _append(
        self,
        connection: Connection,
        shelf: Mapping[str, StockedItem],
        happened: Mapping[str, Sequence[Event]],
    ) -> datetime:
        """Append to the streams of the items; when it happened."""
        stored = self._log.append_each(
            connection,
            [
                StreamAppend(
                    item_stream(sku),
                    shelf[sku].stream_version if sku in shelf else 0,
                    [to_new_event(event) for event in events],
                )
                for sku, events in happened.items()
            ],
        )
        return stored[-1].occur_time

    def _write(
        self,
        connection: Connection,
        shelf: dict[str, StockedItem],
        happened: Mapping[str, Sequence[Event]],
        at: datetime,
    ) -> None:
        """Bring the shelf and its tables to where the events lead."""
        known = frozenset(shelf)
        moved: list[Movement] = []
        came_with: list[Movement] = []
        for sku, events in happened.items():
            for event in events:
                shelf[sku] = evolve(shelf.get(sku), event, at)
                (moved if sku in known else came_with).extend(movements(event))
        shelves.add_items(connection, [shelf[sku] for sku in happened if sku not in known])
        shelves.append_movements(connection, came_with, at)
        shelves.change_items(connection, [shelf[sku] for sku in happened if sku in known])
        shelves.move(connection, moved, at)
