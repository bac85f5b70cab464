import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StockMovementKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOCK_MOVEMENT_KIND_UNSPECIFIED: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_INITIAL: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_ADJUSTED: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_HELD: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_COMMITTED: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_RELEASED: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_EXPIRED: _ClassVar[StockMovementKind]
    STOCK_MOVEMENT_KIND_FULFILLED: _ClassVar[StockMovementKind]
STOCK_MOVEMENT_KIND_UNSPECIFIED: StockMovementKind
STOCK_MOVEMENT_KIND_INITIAL: StockMovementKind
STOCK_MOVEMENT_KIND_ADJUSTED: StockMovementKind
STOCK_MOVEMENT_KIND_HELD: StockMovementKind
STOCK_MOVEMENT_KIND_COMMITTED: StockMovementKind
STOCK_MOVEMENT_KIND_RELEASED: StockMovementKind
STOCK_MOVEMENT_KIND_EXPIRED: StockMovementKind
STOCK_MOVEMENT_KIND_FULFILLED: StockMovementKind

class Item(_message.Message):
    __slots__ = ("sku", "name", "unit_price", "etag", "update_time")
    SKU_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    sku: str
    name: str
    unit_price: _money_pb2.Money
    etag: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, sku: _Optional[str] = ..., name: _Optional[str] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StockLevel(_message.Message):
    __slots__ = ("sku", "on_hand_count", "held_count", "committed_count", "available_count", "version")
    SKU_FIELD_NUMBER: _ClassVar[int]
    ON_HAND_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    sku: str
    on_hand_count: int
    held_count: int
    committed_count: int
    available_count: int
    version: int
    def __init__(self, sku: _Optional[str] = ..., on_hand_count: _Optional[int] = ..., held_count: _Optional[int] = ..., committed_count: _Optional[int] = ..., available_count: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class StockMovement(_message.Message):
    __slots__ = ("sequence", "sku", "kind", "on_hand_delta", "held_delta", "committed_delta", "reservation_id", "reason", "occur_time")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ON_HAND_DELTA_FIELD_NUMBER: _ClassVar[int]
    HELD_DELTA_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_DELTA_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    sku: str
    kind: StockMovementKind
    on_hand_delta: int
    held_delta: int
    committed_delta: int
    reservation_id: str
    reason: str
    occur_time: _timestamp_pb2.Timestamp
    def __init__(self, sequence: _Optional[int] = ..., sku: _Optional[str] = ..., kind: _Optional[_Union[StockMovementKind, str]] = ..., on_hand_delta: _Optional[int] = ..., held_delta: _Optional[int] = ..., committed_delta: _Optional[int] = ..., reservation_id: _Optional[str] = ..., reason: _Optional[str] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
