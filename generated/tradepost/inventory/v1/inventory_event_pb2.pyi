import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.inventory.v1 import reservation_pb2 as _reservation_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReservationOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESERVATION_ORIGIN_UNSPECIFIED: _ClassVar[ReservationOrigin]
    RESERVATION_ORIGIN_ORCHESTRATED: _ClassVar[ReservationOrigin]
    RESERVATION_ORIGIN_CHOREOGRAPHED: _ClassVar[ReservationOrigin]
RESERVATION_ORIGIN_UNSPECIFIED: ReservationOrigin
RESERVATION_ORIGIN_ORCHESTRATED: ReservationOrigin
RESERVATION_ORIGIN_CHOREOGRAPHED: ReservationOrigin

class ItemUpserted(_message.Message):
    __slots__ = ("sku", "name", "unit_price", "initial_on_hand_count")
    SKU_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    INITIAL_ON_HAND_COUNT_FIELD_NUMBER: _ClassVar[int]
    sku: str
    name: str
    unit_price: _money_pb2.Money
    initial_on_hand_count: int
    def __init__(self, sku: _Optional[str] = ..., name: _Optional[str] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., initial_on_hand_count: _Optional[int] = ...) -> None: ...

class StockAdjusted(_message.Message):
    __slots__ = ("sku", "delta", "reason")
    SKU_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    sku: str
    delta: int
    reason: str
    def __init__(self, sku: _Optional[str] = ..., delta: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ReservationHeld(_message.Message):
    __slots__ = ("reservation_id", "order_id", "lines", "total", "expire_time", "origin", "customer_id", "payment_method", "order_deadline_time", "authorization_ttl")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    ORDER_DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_TTL_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    order_id: str
    lines: _containers.RepeatedCompositeFieldContainer[_reservation_pb2.ReservationLine]
    total: _money_pb2.Money
    expire_time: _timestamp_pb2.Timestamp
    origin: ReservationOrigin
    customer_id: str
    payment_method: str
    order_deadline_time: _timestamp_pb2.Timestamp
    authorization_ttl: _duration_pb2.Duration
    def __init__(self, reservation_id: _Optional[str] = ..., order_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[_reservation_pb2.ReservationLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ..., customer_id: _Optional[str] = ..., payment_method: _Optional[str] = ..., order_deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., authorization_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CheckoutHistory(_message.Message):
    __slots__ = ("held", "payment_id", "authorize_expire_time")
    HELD_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    held: ReservationHeld
    payment_id: str
    authorize_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, held: _Optional[_Union[ReservationHeld, _Mapping]] = ..., payment_id: _Optional[str] = ..., authorize_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReservationRejected(_message.Message):
    __slots__ = ("reservation_id", "order_id", "refusal", "origin")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    order_id: str
    refusal: _reservation_pb2.ReservationRefusal
    origin: ReservationOrigin
    def __init__(self, reservation_id: _Optional[str] = ..., order_id: _Optional[str] = ..., refusal: _Optional[_Union[_reservation_pb2.ReservationRefusal, _Mapping]] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ...) -> None: ...

class ReservationCommitted(_message.Message):
    __slots__ = ("reservation_id", "origin", "order_id", "history")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    origin: ReservationOrigin
    order_id: str
    history: CheckoutHistory
    def __init__(self, reservation_id: _Optional[str] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ..., order_id: _Optional[str] = ..., history: _Optional[_Union[CheckoutHistory, _Mapping]] = ...) -> None: ...

class ReservationReleased(_message.Message):
    __slots__ = ("reservation_id", "order_id", "reason", "tombstone", "origin")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    order_id: str
    reason: str
    tombstone: bool
    origin: ReservationOrigin
    def __init__(self, reservation_id: _Optional[str] = ..., order_id: _Optional[str] = ..., reason: _Optional[str] = ..., tombstone: _Optional[bool] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ...) -> None: ...

class ReservationExpired(_message.Message):
    __slots__ = ("reservation_id", "order_id", "origin", "history")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    order_id: str
    origin: ReservationOrigin
    history: CheckoutHistory
    def __init__(self, reservation_id: _Optional[str] = ..., order_id: _Optional[str] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ..., history: _Optional[_Union[CheckoutHistory, _Mapping]] = ...) -> None: ...

class ReservationFulfilled(_message.Message):
    __slots__ = ("reservation_id", "origin")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    origin: ReservationOrigin
    def __init__(self, reservation_id: _Optional[str] = ..., origin: _Optional[_Union[ReservationOrigin, str]] = ...) -> None: ...
