import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.order.v1 import order_pb2 as _order_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlacedLine(_message.Message):
    __slots__ = ("sku", "quantity")
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    sku: str
    quantity: int
    def __init__(self, sku: _Optional[str] = ..., quantity: _Optional[int] = ...) -> None: ...

class OrderPlaced(_message.Message):
    __slots__ = ("customer_id", "lines", "payment_method", "expected_total", "coordination", "deadline_time", "hold_ttl", "authorization_ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COORDINATION_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLD_TTL_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    lines: _containers.RepeatedCompositeFieldContainer[PlacedLine]
    payment_method: str
    expected_total: _money_pb2.Money
    coordination: _order_pb2.Coordination
    deadline_time: _timestamp_pb2.Timestamp
    hold_ttl: _duration_pb2.Duration
    authorization_ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[PlacedLine, _Mapping]]] = ..., payment_method: _Optional[str] = ..., expected_total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., coordination: _Optional[_Union[_order_pb2.Coordination, str]] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hold_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., authorization_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StockReserved(_message.Message):
    __slots__ = ("reservation_id", "lines", "total", "expire_time")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    lines: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderLine]
    total: _money_pb2.Money
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, reservation_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[_order_pb2.OrderLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PaymentAuthorized(_message.Message):
    __slots__ = ("payment_id", "authorize_expire_time")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    authorize_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., authorize_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CaptureRequested(_message.Message):
    __slots__ = ("payment_id", "coordination")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    COORDINATION_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    coordination: _order_pb2.Coordination
    def __init__(self, payment_id: _Optional[str] = ..., coordination: _Optional[_Union[_order_pb2.Coordination, str]] = ...) -> None: ...

class OrderConfirmed(_message.Message):
    __slots__ = ("captured_amount",)
    CAPTURED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    captured_amount: _money_pb2.Money
    def __init__(self, captured_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CancellationStarted(_message.Message):
    __slots__ = ("cause", "refusal", "reason", "payment_asked", "stock_asked")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ASKED_FIELD_NUMBER: _ClassVar[int]
    STOCK_ASKED_FIELD_NUMBER: _ClassVar[int]
    cause: _order_pb2.OrderCause
    refusal: _order_pb2.OrderRefusal
    reason: str
    payment_asked: bool
    stock_asked: bool
    def __init__(self, cause: _Optional[_Union[_order_pb2.OrderCause, str]] = ..., refusal: _Optional[_Union[_order_pb2.OrderRefusal, _Mapping]] = ..., reason: _Optional[str] = ..., payment_asked: _Optional[bool] = ..., stock_asked: _Optional[bool] = ...) -> None: ...

class OrderRejected(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OrderCancelled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FulfillmentStarted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OrderFulfilled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefundStarted(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class OrderRefunded(_message.Message):
    __slots__ = ("refunded_amount",)
    REFUNDED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    refunded_amount: _money_pb2.Money
    def __init__(self, refunded_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ReviewRequested(_message.Message):
    __slots__ = ("step", "reason")
    STEP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    step: str
    reason: str
    def __init__(self, step: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class StepRetried(_message.Message):
    __slots__ = ("step", "attempt")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    step: str
    attempt: int
    def __init__(self, step: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...
