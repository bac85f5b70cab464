import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.event.v1 import event_pb2 as _event_pb2
from tradepost.order.v1 import order_pb2 as _order_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateOrderLine(_message.Message):
    __slots__ = ("sku", "quantity")
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    sku: str
    quantity: int
    def __init__(self, sku: _Optional[str] = ..., quantity: _Optional[int] = ...) -> None: ...

class CreateOrderRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "lines", "payment_method", "expected_total", "coordination", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COORDINATION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    lines: _containers.RepeatedCompositeFieldContainer[CreateOrderLine]
    payment_method: str
    expected_total: _money_pb2.Money
    coordination: _order_pb2.Coordination
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[CreateOrderLine, _Mapping]]] = ..., payment_method: _Optional[str] = ..., expected_total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., coordination: _Optional[_Union[_order_pb2.Coordination, str]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class CreateOrderResponse(_message.Message):
    __slots__ = ("order", "version", "position")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    version: int
    position: int
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("order_id", "min_version", "as_of_version")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    AS_OF_VERSION_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    min_version: int
    as_of_version: int
    def __init__(self, order_id: _Optional[str] = ..., min_version: _Optional[int] = ..., as_of_version: _Optional[int] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("order", "version", "position")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    version: int
    position: int
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class BatchGetOrdersRequest(_message.Message):
    __slots__ = ("order_ids",)
    ORDER_IDS_FIELD_NUMBER: _ClassVar[int]
    order_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, order_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetOrdersResponse(_message.Message):
    __slots__ = ("orders", "unknown_order_ids")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ORDER_IDS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    unknown_order_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., unknown_order_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("customer_id", "states", "created_after_time", "created_before_time", "page_size", "page_token", "min_position")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    states: _containers.RepeatedScalarFieldContainer[_order_pb2.OrderState]
    created_after_time: _timestamp_pb2.Timestamp
    created_before_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    min_position: int
    def __init__(self, customer_id: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_order_pb2.OrderState, str]]] = ..., created_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., min_position: _Optional[int] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("orders", "next_page_token", "position")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    next_page_token: str
    position: int
    def __init__(self, orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., position: _Optional[int] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("request_id", "order_id", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    order_id: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., order_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("order", "version", "position")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    version: int
    position: int
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class FulfillOrderRequest(_message.Message):
    __slots__ = ("request_id", "order_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    order_id: str
    def __init__(self, request_id: _Optional[str] = ..., order_id: _Optional[str] = ...) -> None: ...

class FulfillOrderResponse(_message.Message):
    __slots__ = ("order", "version", "position")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    version: int
    position: int
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class WatchOrderRequest(_message.Message):
    __slots__ = ("order_id", "after_version", "follow")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    after_version: int
    follow: bool
    def __init__(self, order_id: _Optional[str] = ..., after_version: _Optional[int] = ..., follow: _Optional[bool] = ...) -> None: ...

class WatchOrderResponse(_message.Message):
    __slots__ = ("order", "version", "position", "event_type")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    version: int
    position: int
    event_type: str
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., version: _Optional[int] = ..., position: _Optional[int] = ..., event_type: _Optional[str] = ...) -> None: ...

class ListOrderEventsRequest(_message.Message):
    __slots__ = ("order_id", "page_size", "page_token")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    page_size: int
    page_token: str
    def __init__(self, order_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOrderEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCustomerSummaryRequest(_message.Message):
    __slots__ = ("customer_id", "min_position")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    min_position: int
    def __init__(self, customer_id: _Optional[str] = ..., min_position: _Optional[int] = ...) -> None: ...

class CustomerSpend(_message.Message):
    __slots__ = ("captured_amount", "refunded_amount")
    CAPTURED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    captured_amount: _money_pb2.Money
    refunded_amount: _money_pb2.Money
    def __init__(self, captured_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., refunded_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class CustomerSummary(_message.Message):
    __slots__ = ("customer_id", "order_count", "confirmed_count", "spend", "last_order_id", "last_order_time")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPEND_FIELD_NUMBER: _ClassVar[int]
    LAST_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_ORDER_TIME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    order_count: int
    confirmed_count: int
    spend: _containers.RepeatedCompositeFieldContainer[CustomerSpend]
    last_order_id: str
    last_order_time: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., order_count: _Optional[int] = ..., confirmed_count: _Optional[int] = ..., spend: _Optional[_Iterable[_Union[CustomerSpend, _Mapping]]] = ..., last_order_id: _Optional[str] = ..., last_order_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetCustomerSummaryResponse(_message.Message):
    __slots__ = ("summary", "position", "payment_position")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_POSITION_FIELD_NUMBER: _ClassVar[int]
    summary: CustomerSummary
    position: int
    payment_position: int
    def __init__(self, summary: _Optional[_Union[CustomerSummary, _Mapping]] = ..., position: _Optional[int] = ..., payment_position: _Optional[int] = ...) -> None: ...
