"""Validates requests that read, converts them to queries, and cuts the rows that come back.

Pages of orders and of sagas have the key (create time in microseconds, order id), pages of an
audit trail the key (version).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.event.v1 import event_pb2
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.admin.v1 import saga_pb2
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.log.event_log import StoredEvent
from services.chassis.request.pages import (
    Key,
    Page,
    arguments_of,
    check_page_size,
    check_sequence,
    check_time_and_id,
    page_of,
    page_of_all,
)
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.request.wire_values import from_timestamp
from services.chassis.store.micros import to_micros
from services.order.domain.queries import (
    AuditTrailQuery,
    OrderFilter,
    OrderListQuery,
    OrderQuery,
    SagaFilter,
    SummaryQuery,
    WatchQuery,
)
from services.order.domain.state import OrderState
from services.order.wire.replies import to_event

MAX_BATCH = 500
MAX_AGE = timedelta(days=36_500)


def get_order(request: rpc.GetOrderRequest) -> OrderQuery:
    """Validate GetOrder. Raises InvalidRequestError."""
    check = Check()
    check.identifier("order_id", request.order_id, "ord")
    min_version = as_of_version = None
    if request.HasField("min_version"):
        min_version = _version(check, "min_version", request.min_version)
    if request.HasField("as_of_version"):
        as_of_version = _version(check, "as_of_version", request.as_of_version)
        enough = as_of_version >= (min_version or 0)
        check.that(enough, "as_of_version", "must not be less than min_version")
    check.done()
    return OrderQuery(request.order_id, min_version, as_of_version)


def batch_get_orders(request: rpc.BatchGetOrdersRequest) -> tuple[str, ...]:
    """Return the ids, each once, in the order of the request. Raises InvalidRequestError."""
    check = Check()
    number = len(request.order_ids)
    check.that(1 <= number <= MAX_BATCH, "order_ids", f"must have 1 to {MAX_BATCH} entries")
    for index, order_id in enumerate(request.order_ids[:MAX_BATCH]):
        check.identifier(f"order_ids[{index}]", order_id, "ord")
    check.done()
    return tuple(dict.fromkeys(request.order_ids))


def list_orders(request: rpc.ListOrdersRequest) -> OrderListQuery:
    """Validate ListOrders. Raises InvalidRequestError."""
    check = Check()
    check.text("customer_id", request.customer_id, max_len=64, required=False)
    check.enum_filter("states", request.states, order_pb2.OrderState)
    created_after = check.timestamp(
        "created_after_time",
        request.created_after_time,
        present=request.HasField("created_after_time"),
    )
    created_before = check.timestamp(
        "created_before_time",
        request.created_before_time,
        present=request.HasField("created_before_time"),
    )
    check.integer("min_position", request.min_position, minimum=0, maximum=MAX_INT64)
    size, after = (
        check_page_size(check, request.page_size),
        check_time_and_id(check, request.page_token, arguments_of(request)),
    )
    check.done()
    rows = OrderFilter(
        page_size=size,
        customer_id=request.customer_id,
        states=tuple(sorted({OrderState(int(state)) for state in request.states})),
        created_after=created_after,
        created_before=created_before,
        after=after,
    )
    return OrderListQuery(rows, request.min_position)


def list_order_events(request: rpc.ListOrderEventsRequest) -> AuditTrailQuery:
    """Validate ListOrderEvents. Raises InvalidRequestError."""
    check = Check()
    check.identifier("order_id", request.order_id, "ord")
    size = check_page_size(check, request.page_size)
    after_version = check_sequence(check, request.page_token, arguments_of(request))
    check.done()
    return AuditTrailQuery(request.order_id, after_version, size)


def watch_order(request: rpc.WatchOrderRequest) -> WatchQuery:
    """Validate WatchOrder. Raises InvalidRequestError."""
    check = Check()
    check.identifier("order_id", request.order_id, "ord")
    after_version = _version(check, "after_version", request.after_version)
    check.done()
    return WatchQuery(request.order_id, after_version, request.follow)


def get_customer_summary(request: rpc.GetCustomerSummaryRequest) -> SummaryQuery:
    """Validate GetCustomerSummary. Raises InvalidRequestError."""
    check = Check()
    check.text("customer_id", request.customer_id, max_len=64)
    check.integer("min_position", request.min_position, minimum=0, maximum=MAX_INT64)
    check.done()
    return SummaryQuery(request.customer_id, request.min_position)


def list_sagas(request: admin.ListSagasRequest, now: datetime) -> SagaFilter:
    """Validate ListSagas. Raises InvalidRequestError."""
    check = Check()
    older_than = check.duration(
        "older_than",
        request.older_than,
        present=request.HasField("older_than"),
        minimum=timedelta(),
        maximum=MAX_AGE,
    )
    check.enum("state", request.state, order_pb2.OrderState)
    size, after = (
        check_page_size(check, request.page_size),
        check_time_and_id(check, request.page_token, arguments_of(request)),
    )
    check.done()
    return SagaFilter(
        page_size=size,
        placed_before=None if older_than is None else now - older_than,
        state=OrderState(int(request.state)) if request.state else None,
        needs_review=request.needs_review if request.HasField("needs_review") else None,
        after=after,
    )


def get_saga(request: admin.GetSagaRequest) -> str:
    """Return the order's id. Raises InvalidRequestError."""
    check = Check()
    check.identifier("order_id", request.order_id, "ord")
    check.done()
    return request.order_id


def orders_page(
    request: rpc.ListOrdersRequest, orders: Sequence[order_pb2.Order], *, has_more: bool
) -> Page[order_pb2.Order]:
    """Return these orders as a page, and the token of the next page."""
    return page_of_all(
        request,
        orders,
        has_more=has_more,
        key_of=lambda order: _created(order.create_time, order.order_id),
        to_message=lambda order: order,
    )


def audit_trail_page(
    request: rpc.ListOrderEventsRequest,
    query: AuditTrailQuery,
    events: Sequence[StoredEvent],
    epoch: str,
) -> Page[event_pb2.Event]:
    """Return the page of the events that the store read for `query`, and the next page's token."""
    return page_of(
        request,
        events,
        query.page_size,
        key_of=lambda stored: (stored.version,),
        to_message=lambda stored: to_event(stored, epoch),
    )


def saga_page(
    request: admin.ListSagasRequest, query: SagaFilter, sagas: Sequence[saga_pb2.Saga]
) -> Page[saga_pb2.Saga]:
    """Return the page of the sagas that the store read for `query`, and the next page's token."""
    return page_of(
        request,
        sagas,
        query.page_size,
        key_of=lambda saga: _created(saga.create_time, saga.order_id),
        to_message=lambda saga: saga,
    )


def _created(create_time: Timestamp, order_id: str) -> Key:
    return (to_micros(from_timestamp(create_time)), order_id)


def _version(check: Check, field: str, version: int) -> int:
    return check.integer(field, version, minimum=0, maximum=MAX_INT64)
