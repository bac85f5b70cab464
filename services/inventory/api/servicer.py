"""The methods of tradepost.inventory.v1.InventoryService."""

from typing import TypeVar

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import inventory_service_pb2_grpc

from services.chassis.request.context import Context
from services.chassis.request.request_ids import mark_replayed
from services.chassis.store.database import Database
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.api.stored_answers import StoredAnswer
from services.inventory.store import item_rows, movement_rows, reservation_listing
from services.inventory.wire import queries, replies, requests

M = TypeVar("M", bound=Message)


class InventoryServicer(inventory_service_pb2_grpc.InventoryServiceServicer):
    """Serves tradepost.inventory.v1.InventoryService; the contract describes each method."""

    def __init__(
        self, *, database: Database, items: ItemWrites, reservations: ReservationWrites
    ) -> None:
        self._database = database
        self._items = items
        self._reservations = reservations

    async def UpsertItems(
        self, request: rpc.UpsertItemsRequest, context: Context
    ) -> rpc.UpsertItemsResponse:
        intention = requests.upsert_items(request)
        answer = await self._database.write(
            self._items.upsert, intention, needs=self._items.needs(intention)
        )
        return _reply(answer, context)

    async def ListItems(
        self, request: rpc.ListItemsRequest, context: Context
    ) -> rpc.ListItemsResponse:
        wanted = queries.list_items(request)
        rows = await self._database.read(item_rows.list_items, wanted)
        page = queries.item_page(request, wanted, rows)
        return rpc.ListItemsResponse(items=page.rows, next_page_token=page.next_page_token)

    async def AdjustStock(
        self, request: rpc.AdjustStockRequest, context: Context
    ) -> rpc.AdjustStockResponse:
        intention = requests.adjust_stock(request)
        answer = await self._database.write(
            self._items.adjust, intention, needs=self._items.needs(intention)
        )
        return _reply(answer, context)

    async def GetStock(
        self, request: rpc.GetStockRequest, context: Context
    ) -> rpc.GetStockResponse:
        level = await self._database.read(item_rows.get_level, queries.get_stock(request))
        return rpc.GetStockResponse(stock=replies.to_stock(level))

    async def BatchGetStock(
        self, request: rpc.BatchGetStockRequest, context: Context
    ) -> rpc.BatchGetStockResponse:
        skus = queries.batch_get_stock(request)
        levels, unknown = await self._database.read(item_rows.get_levels, skus)
        return rpc.BatchGetStockResponse(stock=map(replies.to_stock, levels), unknown_skus=unknown)

    async def ListStock(
        self, request: rpc.ListStockRequest, context: Context
    ) -> rpc.ListStockResponse:
        wanted = queries.list_levels(request)
        rows = await self._database.read(item_rows.list_levels, wanted)
        page = queries.stock_page(request, wanted, rows)
        return rpc.ListStockResponse(stock=page.rows, next_page_token=page.next_page_token)

    async def ReserveStock(
        self, request: rpc.ReserveStockRequest, context: Context
    ) -> rpc.ReserveStockResponse:
        if request.validate_only:
            command = requests.validate_only(request)
            return await self._database.read(self._reservations.quote, command)
        intention = requests.reserve_stock(request)
        answer = await self._database.write(
            self._reservations.reserve, intention, needs=self._reservations.needs(intention)
        )
        return _reply(answer, context)

    async def CommitReservation(
        self, request: rpc.CommitReservationRequest, context: Context
    ) -> rpc.CommitReservationResponse:
        intention = requests.commit_reservation(request)
        answer = await self._database.write(
            self._reservations.commit, intention, needs=self._reservations.needs(intention)
        )
        return _reply(answer, context)

    async def ReleaseReservation(
        self, request: rpc.ReleaseReservationRequest, context: Context
    ) -> rpc.ReleaseReservationResponse:
        intention = requests.release_reservation(request)
        answer = await self._database.write(
            self._reservations.release, intention, needs=self._reservations.needs(intention)
        )
        return _reply(answer, context)

    async def FulfillReservation(
        self, request: rpc.FulfillReservationRequest, context: Context
    ) -> rpc.FulfillReservationResponse:
        intention = requests.fulfill_reservation(request)
        answer = await self._database.write(
            self._reservations.fulfill, intention, needs=self._reservations.needs(intention)
        )
        return _reply(answer, context)

    async def ReturnStock(
        self, request: rpc.ReturnStockRequest, context: Context
    ) -> rpc.ReturnStockResponse:
        intention = requests.return_stock(request)
        answer = await self._database.write(
            self._reservations.take_back, intention, needs=self._reservations.needs(intention)
        )
        return _reply(answer, context)

    async def GetReservation(
        self, request: rpc.GetReservationRequest, context: Context
    ) -> rpc.GetReservationResponse:
        reservation_id = queries.get_reservation(request)
        found = await self._database.read(reservation_listing.get_reservation, reservation_id)
        return rpc.GetReservationResponse(reservation=replies.to_reservation(found))

    async def ListReservations(
        self, request: rpc.ListReservationsRequest, context: Context
    ) -> rpc.ListReservationsResponse:
        wanted = queries.list_reservations(request)
        rows, has_more = await self._database.read(reservation_listing.list_reservations, wanted)
        page = queries.reservation_page(request, rows, has_more=has_more)
        return rpc.ListReservationsResponse(
            reservations=page.rows,
            next_page_token=page.next_page_token,
        )

    async def ListStockMovements(
        self, request: rpc.ListStockMovementsRequest, context: Context
    ) -> rpc.ListStockMovementsResponse:
        wanted = queries.list_movements(request)
        rows = await self._database.read(movement_rows.list_movements, wanted)
        page = queries.movement_page(request, wanted, rows)
        return rpc.ListStockMovementsResponse(
            movements=page.rows, next_page_token=page.next_page_token
        )


def _reply(answer: StoredAnswer[M], context: Context) -> M:
    if answer.replayed:
        mark_replayed(context)
    return answer.response
