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

class ReservationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESERVATION_STATE_UNSPECIFIED: _ClassVar[ReservationState]
    RESERVATION_STATE_HELD: _ClassVar[ReservationState]
    RESERVATION_STATE_COMMITTED: _ClassVar[ReservationState]
    RESERVATION_STATE_FULFILLED: _ClassVar[ReservationState]
    RESERVATION_STATE_RELEASED: _ClassVar[ReservationState]
    RESERVATION_STATE_EXPIRED: _ClassVar[ReservationState]
    RESERVATION_STATE_REJECTED: _ClassVar[ReservationState]

class ReservationRefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESERVATION_REFUSAL_REASON_UNSPECIFIED: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_UNKNOWN_SKU: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_MIXED_CURRENCY: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_TOTAL_OVERFLOW: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_ZERO_TOTAL: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_PRICE_CHANGED: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_RESERVATION_FENCED: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_ORDER_DEADLINE_PASSED: _ClassVar[ReservationRefusalReason]
    RESERVATION_REFUSAL_REASON_RESERVATION_EXPIRED: _ClassVar[ReservationRefusalReason]
RESERVATION_STATE_UNSPECIFIED: ReservationState
RESERVATION_STATE_HELD: ReservationState
RESERVATION_STATE_COMMITTED: ReservationState
RESERVATION_STATE_FULFILLED: ReservationState
RESERVATION_STATE_RELEASED: ReservationState
RESERVATION_STATE_EXPIRED: ReservationState
RESERVATION_STATE_REJECTED: ReservationState
RESERVATION_REFUSAL_REASON_UNSPECIFIED: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_UNKNOWN_SKU: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_MIXED_CURRENCY: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_TOTAL_OVERFLOW: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_ZERO_TOTAL: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_PRICE_CHANGED: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_RESERVATION_FENCED: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_ORDER_DEADLINE_PASSED: ReservationRefusalReason
RESERVATION_REFUSAL_REASON_RESERVATION_EXPIRED: ReservationRefusalReason

class Shortage(_message.Message):
    __slots__ = ("sku", "requested_count", "available_count")
    SKU_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    sku: str
    requested_count: int
    available_count: int
    def __init__(self, sku: _Optional[str] = ..., requested_count: _Optional[int] = ..., available_count: _Optional[int] = ...) -> None: ...

class ReservationRefusal(_message.Message):
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
    reason: ReservationRefusalReason
    facts: _containers.ScalarMap[str, str]
    shortages: _containers.RepeatedCompositeFieldContainer[Shortage]
    def __init__(self, reason: _Optional[_Union[ReservationRefusalReason, str]] = ..., facts: _Optional[_Mapping[str, str]] = ..., shortages: _Optional[_Iterable[_Union[Shortage, _Mapping]]] = ...) -> None: ...

class ReservationLine(_message.Message):
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

class Reservation(_message.Message):
    __slots__ = ("reservation_id", "order_id", "state", "lines", "total", "expire_time", "refusal", "version", "create_time", "update_time")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    order_id: str
    state: ReservationState
    lines: _containers.RepeatedCompositeFieldContainer[ReservationLine]
    total: _money_pb2.Money
    expire_time: _timestamp_pb2.Timestamp
    refusal: ReservationRefusal
    version: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, reservation_id: _Optional[str] = ..., order_id: _Optional[str] = ..., state: _Optional[_Union[ReservationState, str]] = ..., lines: _Optional[_Iterable[_Union[ReservationLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refusal: _Optional[_Union[ReservationRefusal, _Mapping]] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
