"""The RPCs of the inventory: request to command, ask, result to reply."""

from typing import TypeVar

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import inventory_service_pb2_grpc

from services.chassis.request.context import Context
from services.chassis.request.request_ids import REPLAYED_KEY
from services.chassis.store.database import Database
from services.inventory.api.answers import Answer
from services.inventory.api.items import Items
from services.inventory.api.reservation_writes import Reservations
from services.inventory.store import listing
from services.inventory.wire import queries, replies, requests

M = TypeVar("M", bound=Message)


class InventoryServicer(inventory_service_pb2_grpc.InventoryServiceServicer):
    """tradepost.inventory.v1.InventoryService; see its contract for what each method does."""

    def __init__(self, *, database: Database, items: Items, reservations: Reservations) -> None:
        self._database = database
        self._items = items
        self._reservations = reservations

    async def UpsertItems(
        self, request: rpc.UpsertItemsRequest, context: Context
    ) -> rpc.UpsertItemsResponse:
        intention = requests.upsert_items(request)
        answer = await self._database.write(self._items.upsert, intention)
        return _reply(answer, context)

    async def ListItems(
        self, request: rpc.ListItemsRequest, context: Context
    ) -> rpc.ListItemsResponse:
        listed = await self._database.read(listing.items, queries.sku_page(request))
        token = queries.next_page_token(request, listed)
        return rpc.ListItemsResponse(items=map(replies.to_item, listed.rows), next_page_token=token)

    async def AdjustStock(
        self, request: rpc.AdjustStockRequest, context: Context
    ) -> rpc.AdjustStockResponse:
        intention = requests.adjust_stock(request)
        answer = await self._database.write(self._items.adjust, intention)
        return _reply(answer, context)

    async def GetStock(
        self, request: rpc.GetStockRequest, context: Context
    ) -> rpc.GetStockResponse:
        level = await self._database.read(listing.level, queries.one_sku(request))
        return rpc.GetStockResponse(stock=replies.to_stock(level))

    async def BatchGetStock(
        self, request: rpc.BatchGetStockRequest, context: Context
    ) -> rpc.BatchGetStockResponse:
        skus = queries.many_skus(request)
        levels, unknown = await self._database.read(listing.many_levels, skus)
        return rpc.BatchGetStockResponse(stock=map(replies.to_stock, levels), unknown_skus=unknown)

    async def ListStock(
        self, request: rpc.ListStockRequest, context: Context
    ) -> rpc.ListStockResponse:
        listed = await self._database.read(listing.levels, queries.sku_page(request))
        token = queries.next_page_token(request, listed)
        return rpc.ListStockResponse(
            stock=map(replies.to_stock, listed.rows), next_page_token=token
        )

    async def ReserveStock(
        self, request: rpc.ReserveStockRequest, context: Context
    ) -> rpc.ReserveStockResponse:
        if request.validate_only:
            command = requests.validate_only(request)
            return await self._database.read(self._reservations.quote, command)
        intention = requests.reserve_stock(request)
        answer = await self._database.write(self._reservations.reserve, intention)
        return _reply(answer, context)

    async def CommitReservation(
        self, request: rpc.CommitReservationRequest, context: Context
    ) -> rpc.CommitReservationResponse:
        intention = requests.commit_reservation(request)
        answer = await self._database.write(self._reservations.commit, intention)
        return _reply(answer, context)

    async def ReleaseReservation(
        self, request: rpc.ReleaseReservationRequest, context: Context
    ) -> rpc.ReleaseReservationResponse:
        intention = requests.release_reservation(request)
        answer = await self._database.write(self._reservations.release, intention)
        return _reply(answer, context)

    async def FulfillReservation(
        self, request: rpc.FulfillReservationRequest, context: Context
    ) -> rpc.FulfillReservationResponse:
        intention = requests.fulfill_reservation(request)
        answer = await self._database.write(self._reservations.fulfill, intention)
        return _reply(answer, context)

    async def GetReservation(
        self, request: rpc.GetReservationRequest, context: Context
    ) -> rpc.GetReservationResponse:
        reservation_id = queries.one_reservation(request)
        reservation = await self._database.read(listing.reservation, reservation_id)
        return rpc.GetReservationResponse(reservation=replies.to_reservation(reservation))

    async def ListReservations(
        self, request: rpc.ListReservationsRequest, context: Context
    ) -> rpc.ListReservationsResponse:
        page = queries.reservation_page(request)
        listed = await self._database.read(listing.reservations, page)
        return rpc.ListReservationsResponse(
            reservations=map(replies.to_reservation, listed.rows),
            next_page_token=queries.next_page_token(request, listed),
        )

    async def ListStockMovements(
        self, request: rpc.ListStockMovementsRequest, context: Context
    ) -> rpc.ListStockMovementsResponse:
        page = queries.movement_page(request)
        listed = await self._database.read(listing.movements, page)
        return rpc.ListStockMovementsResponse(
            movements=[replies.to_movement(*row) for row in listed.rows],
            next_page_token=queries.next_page_token(request, listed),
        )


def _reply(answer: Answer[M], context: Context) -> M:
    if answer.replayed:
        context.set_trailing_metadata(((REPLAYED_KEY, "true"),))
    return answer.response
