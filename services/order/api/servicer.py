"""The RPCs of OrderService: convert the request, call the use case, convert the result."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1 import order_service_pb2_grpc

from services.chassis.log.event_log import EventLog
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.patience import patience_s
from services.chassis.request.request_ids import mark_replayed
from services.chassis.store.database import Database
from services.order.api.use_cases import OrderUseCases
from services.order.api.waiting import OrderWaiter
from services.order.store import order_view
from services.order.store.order_streams import OrderStreams
from services.order.store.order_view import OrderSnapshot
from services.order.summary.summary_reader import SummaryReader
from services.order.wire import queries, replies, requests
from services.order.wire.requests import OfferedCoordinations


class OrderServicer(order_service_pb2_grpc.OrderServiceServicer):
    """tradepost.order.v1.OrderService; its contract says what each method does."""

    def __init__(
        self,
        *,
        database: Database,
        log: EventLog,
        streams: OrderStreams,
        use_cases: OrderUseCases,
        waiter: OrderWaiter,
        summaries: SummaryReader | None,
        offered: OfferedCoordinations,
    ) -> None:
        self._database = database
        self._log = log
        self._streams = streams
        self._use_cases = use_cases
        self._waiter = waiter
        self._summaries = summaries
        self._offered = offered

    async def CreateOrder(
        self, request: rpc.CreateOrderRequest, context: Context
    ) -> rpc.CreateOrderResponse:
        patience = patience_s(context.time_remaining())
        if request.validate_only:
            place = requests.validate_only(request, self._offered)
            return rpc.CreateOrderResponse(order=await self._use_cases.quote(place, patience))
        intention = requests.create_order(request, self._offered)
        snapshot = await self._use_cases.place(intention, patience)
        _mark_replayed(snapshot, context)
        return rpc.CreateOrderResponse(
            order=snapshot.order, version=snapshot.order.version, position=snapshot.position
        )

    async def GetOrder(
        self, request: rpc.GetOrderRequest, context: Context
    ) -> rpc.GetOrderResponse:
        loaded = await self._database.read(
            self._streams.query, queries.get_order(request), snapshot=False
        )
        order = replies.to_order(loaded.order)
        return rpc.GetOrderResponse(order=order, version=order.version, position=loaded.position)

    async def BatchGetOrders(
        self, request: rpc.BatchGetOrdersRequest, context: Context
    ) -> rpc.BatchGetOrdersResponse:
        found = await self._database.read(order_view.batch, queries.batch_get_orders(request))
        return rpc.BatchGetOrdersResponse(
            orders=found.orders,
            unknown_order_ids=found.unknown_ids,
            unread_order_ids=found.unread_ids,
        )

    async def ListOrders(
        self, request: rpc.ListOrdersRequest, context: Context
    ) -> rpc.ListOrdersResponse:
        query = queries.list_orders(request)
        await self._waiter.reach(query.min_position, patience_s(context.time_remaining()))
        found = await self._database.read(order_view.page, self._log, query.rows)
        orders = [snapshot.order for snapshot in found.rows]
        page = queries.orders_page(request, orders, has_more=found.has_more)
        return rpc.ListOrdersResponse(
            orders=page.rows, next_page_token=page.next_page_token, position=found.position
        )

    async def CancelOrder(
        self, request: rpc.CancelOrderRequest, context: Context
    ) -> rpc.CancelOrderResponse:
        patience = patience_s(context.time_remaining())
        snapshot = await self._use_cases.change(requests.cancel_order(request), patience)
        _mark_replayed(snapshot, context)
        return rpc.CancelOrderResponse(
            order=snapshot.order, version=snapshot.order.version, position=snapshot.position
        )

    async def FulfillOrder(
        self, request: rpc.FulfillOrderRequest, context: Context
    ) -> rpc.FulfillOrderResponse:
        patience = patience_s(context.time_remaining())
        snapshot = await self._use_cases.change(requests.fulfill_order(request), patience)
        _mark_replayed(snapshot, context)
        return rpc.FulfillOrderResponse(
            order=snapshot.order, version=snapshot.order.version, position=snapshot.position
        )

    async def ReturnOrder(
        self, request: rpc.ReturnOrderRequest, context: Context
    ) -> rpc.ReturnOrderResponse:
        patience = patience_s(context.time_remaining())
        intention = requests.return_order(request)
        snapshot, return_id = await self._use_cases.take_back(intention, patience)
        _mark_replayed(snapshot, context)
        return replies.to_return_response(snapshot.order, return_id, snapshot.position)

    async def WatchOrder(
        self, request: rpc.WatchOrderRequest, context: Context
    ) -> AsyncIterator[rpc.WatchOrderResponse]:
        async with aclosing(self._waiter.watch(queries.watch_order(request))) as versions:
            async for loaded in versions:
                order = replies.to_order(loaded.order)
                yield rpc.WatchOrderResponse(
                    order=order,
                    version=order.version,
                    position=loaded.position,
                    event_type=loaded.event_type,
                )

    async def ListOrderEvents(
        self, request: rpc.ListOrderEventsRequest, context: Context
    ) -> rpc.ListOrderEventsResponse:
        query = queries.list_order_events(request)
        trail = await self._database.read(self._streams.audit_trail, query)
        page = queries.audit_trail_page(request, query, trail.events, trail.epoch)
        return rpc.ListOrderEventsResponse(events=page.rows, next_page_token=page.next_page_token)

    async def GetCustomerSummary(
        self, request: rpc.GetCustomerSummaryRequest, context: Context
    ) -> rpc.GetCustomerSummaryResponse:
        if self._summaries is None:
            raise NotImplementedYetError("OrderService.GetCustomerSummary")
        query = queries.get_customer_summary(request)
        return await self._summaries.get(query, patience_s(context.time_remaining()))


def _mark_replayed(snapshot: OrderSnapshot, context: Context) -> None:
    if snapshot.replayed:
        mark_replayed(context)
