import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_RESERVING: _ClassVar[OrderState]
    ORDER_STATE_AUTHORIZING: _ClassVar[OrderState]
    ORDER_STATE_COMMITTING: _ClassVar[OrderState]
    ORDER_STATE_CAPTURING: _ClassVar[OrderState]
    ORDER_STATE_CONFIRMED: _ClassVar[OrderState]
    ORDER_STATE_FULFILLING: _ClassVar[OrderState]
    ORDER_STATE_FULFILLED: _ClassVar[OrderState]
    ORDER_STATE_CANCELLING: _ClassVar[OrderState]
    ORDER_STATE_REJECTED: _ClassVar[OrderState]
    ORDER_STATE_CANCELLED: _ClassVar[OrderState]
    ORDER_STATE_REFUNDING: _ClassVar[OrderState]
    ORDER_STATE_REFUNDED: _ClassVar[OrderState]

class Coordination(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COORDINATION_UNSPECIFIED: _ClassVar[Coordination]
    COORDINATION_ORCHESTRATED: _ClassVar[Coordination]
    COORDINATION_CHOREOGRAPHED: _ClassVar[Coordination]

class OrderRefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_REFUSAL_REASON_UNSPECIFIED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_UNKNOWN_SKU: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_MIXED_CURRENCY: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_TOTAL_OVERFLOW: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_ZERO_TOTAL: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_PRICE_CHANGED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_INSUFFICIENT_STOCK: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_PAYMENT_DECLINED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_PAYMENT_NOT_CAPTURED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_RESERVATION_EXPIRED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_FENCED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_ORDER_DEADLINE_PASSED: _ClassVar[OrderRefusalReason]
    ORDER_REFUSAL_REASON_STEP_FAILED: _ClassVar[OrderRefusalReason]

class OrderCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_CAUSE_UNSPECIFIED: _ClassVar[OrderCause]
    ORDER_CAUSE_REFUSED: _ClassVar[OrderCause]
    ORDER_CAUSE_CANCELLED: _ClassVar[OrderCause]
    ORDER_CAUSE_DEADLINE_PASSED: _ClassVar[OrderCause]
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_RESERVING: OrderState
ORDER_STATE_AUTHORIZING: OrderState
ORDER_STATE_COMMITTING: OrderState
ORDER_STATE_CAPTURING: OrderState
ORDER_STATE_CONFIRMED: OrderState
ORDER_STATE_FULFILLING: OrderState
ORDER_STATE_FULFILLED: OrderState
ORDER_STATE_CANCELLING: OrderState
ORDER_STATE_REJECTED: OrderState
ORDER_STATE_CANCELLED: OrderState
ORDER_STATE_REFUNDING: OrderState
ORDER_STATE_REFUNDED: OrderState
COORDINATION_UNSPECIFIED: Coordination
COORDINATION_ORCHESTRATED: Coordination
COORDINATION_CHOREOGRAPHED: Coordination
ORDER_REFUSAL_REASON_UNSPECIFIED: OrderRefusalReason
ORDER_REFUSAL_REASON_UNKNOWN_SKU: OrderRefusalReason
ORDER_REFUSAL_REASON_MIXED_CURRENCY: OrderRefusalReason
ORDER_REFUSAL_REASON_TOTAL_OVERFLOW: OrderRefusalReason
ORDER_REFUSAL_REASON_ZERO_TOTAL: OrderRefusalReason
ORDER_REFUSAL_REASON_PRICE_CHANGED: OrderRefusalReason
ORDER_REFUSAL_REASON_INSUFFICIENT_STOCK: OrderRefusalReason
ORDER_REFUSAL_REASON_PAYMENT_DECLINED: OrderRefusalReason
ORDER_REFUSAL_REASON_PAYMENT_NOT_CAPTURED: OrderRefusalReason
ORDER_REFUSAL_REASON_RESERVATION_EXPIRED: OrderRefusalReason
ORDER_REFUSAL_REASON_FENCED: OrderRefusalReason
ORDER_REFUSAL_REASON_ORDER_DEADLINE_PASSED: OrderRefusalReason
ORDER_REFUSAL_REASON_STEP_FAILED: OrderRefusalReason
ORDER_CAUSE_UNSPECIFIED: OrderCause
ORDER_CAUSE_REFUSED: OrderCause
ORDER_CAUSE_CANCELLED: OrderCause
ORDER_CAUSE_DEADLINE_PASSED: OrderCause

class OrderShortage(_message.Message):
    __slots__ = ("sku", "requested_count", "available_count")
    SKU_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    sku: str
    requested_count: int
    available_count: int
    def __init__(self, sku: _Optional[str] = ..., requested_count: _Optional[int] = ..., available_count: _Optional[int] = ...) -> None: ...

class OrderRefusal(_message.Message):
    __slots__ = ("reason", "facts", "shortages")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    SHORTAGES_FIELD_NUMBER: _ClassVar[int]
    reason: OrderRefusalReason
    facts: _containers.ScalarMap[str, str]
    shortages: _containers.RepeatedCompositeFieldContainer[OrderShortage]
    def __init__(self, reason: _Optional[_Union[OrderRefusalReason, str]] = ..., facts: _Optional[_Mapping[str, str]] = ..., shortages: _Optional[_Iterable[_Union[OrderShortage, _Mapping]]] = ...) -> None: ...

class OrderLine(_message.Message):
    __slots__ = ("sku", "quantity", "name", "unit_price", "line_total")
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    LINE_TOTAL_FIELD_NUMBER: _ClassVar[int]
    sku: str
    quantity: int
    name: str
    unit_price: _money_pb2.Money
    line_total: _money_pb2.Money
    def __init__(self, sku: _Optional[str] = ..., quantity: _Optional[int] = ..., name: _Optional[str] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., line_total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("order_id", "customer_id", "state", "lines", "total", "coordination", "reservation_id", "payment_id", "cause", "refusal", "cancel_reason", "cancel_requested", "needs_review", "deadline_time", "version", "create_time", "update_time")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    COORDINATION_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REASON_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    NEEDS_REVIEW_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    customer_id: str
    state: OrderState
    lines: _containers.RepeatedCompositeFieldContainer[OrderLine]
    total: _money_pb2.Money
    coordination: Coordination
    reservation_id: str
    payment_id: str
    cause: OrderCause
    refusal: OrderRefusal
    cancel_reason: str
    cancel_requested: bool
    needs_review: bool
    deadline_time: _timestamp_pb2.Timestamp
    version: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., state: _Optional[_Union[OrderState, str]] = ..., lines: _Optional[_Iterable[_Union[OrderLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., coordination: _Optional[_Union[Coordination, str]] = ..., reservation_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., cause: _Optional[_Union[OrderCause, str]] = ..., refusal: _Optional[_Union[OrderRefusal, _Mapping]] = ..., cancel_reason: _Optional[str] = ..., cancel_requested: _Optional[bool] = ..., needs_review: _Optional[bool] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
