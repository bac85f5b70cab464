import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.inventory.v1 import inventory_event_pb2 as _inventory_event_pb2
from tradepost.payment.v1 import payment_pb2 as _payment_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PaymentOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_ORIGIN_UNSPECIFIED: _ClassVar[PaymentOrigin]
    PAYMENT_ORIGIN_ORCHESTRATED: _ClassVar[PaymentOrigin]
    PAYMENT_ORIGIN_CHOREOGRAPHED: _ClassVar[PaymentOrigin]
PAYMENT_ORIGIN_UNSPECIFIED: PaymentOrigin
PAYMENT_ORIGIN_ORCHESTRATED: PaymentOrigin
PAYMENT_ORIGIN_CHOREOGRAPHED: PaymentOrigin

class AuthorizationRequested(_message.Message):
    __slots__ = ("payment_id", "order_id", "customer_id", "amount", "authorize_request_id", "origin")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    customer_id: str
    amount: _money_pb2.Money
    authorize_request_id: str
    origin: PaymentOrigin
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., authorize_request_id: _Optional[str] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ...) -> None: ...

class PaymentAuthorized(_message.Message):
    __slots__ = ("payment_id", "order_id", "amount", "authorize_expire_time", "origin", "history")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    amount: _money_pb2.Money
    authorize_expire_time: _timestamp_pb2.Timestamp
    origin: PaymentOrigin
    history: _inventory_event_pb2.CheckoutHistory
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., authorize_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ..., history: _Optional[_Union[_inventory_event_pb2.CheckoutHistory, _Mapping]] = ...) -> None: ...

class PaymentDeclined(_message.Message):
    __slots__ = ("payment_id", "order_id", "refusal", "decline_code", "origin", "history")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    refusal: _payment_pb2.PaymentRefusal
    decline_code: _payment_pb2.DeclineCode
    origin: PaymentOrigin
    history: _inventory_event_pb2.CheckoutHistory
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., refusal: _Optional[_Union[_payment_pb2.PaymentRefusal, _Mapping]] = ..., decline_code: _Optional[_Union[_payment_pb2.DeclineCode, str]] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ..., history: _Optional[_Union[_inventory_event_pb2.CheckoutHistory, _Mapping]] = ...) -> None: ...

class CaptureStarted(_message.Message):
    __slots__ = ("payment_id", "request_id", "origin")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    request_id: str
    origin: PaymentOrigin
    def __init__(self, payment_id: _Optional[str] = ..., request_id: _Optional[str] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ...) -> None: ...

class PaymentCaptured(_message.Message):
    __slots__ = ("payment_id", "order_id", "amount", "request_id", "origin")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    amount: _money_pb2.Money
    request_id: str
    origin: PaymentOrigin
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., request_id: _Optional[str] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ...) -> None: ...

class CaptureRefused(_message.Message):
    __slots__ = ("payment_id", "request_id", "refusal", "order_id", "origin")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    request_id: str
    refusal: _payment_pb2.PaymentRefusal
    order_id: str
    origin: PaymentOrigin
    def __init__(self, payment_id: _Optional[str] = ..., request_id: _Optional[str] = ..., refusal: _Optional[_Union[_payment_pb2.PaymentRefusal, _Mapping]] = ..., order_id: _Optional[str] = ..., origin: _Optional[_Union[PaymentOrigin, str]] = ...) -> None: ...

class VoidRequested(_message.Message):
    __slots__ = ("payment_id", "reason", "request_id")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    reason: str
    request_id: str
    def __init__(self, payment_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PaymentVoided(_message.Message):
    __slots__ = ("payment_id", "order_id", "authorize_request_id", "tombstone")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    authorize_request_id: str
    tombstone: bool
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., authorize_request_id: _Optional[str] = ..., tombstone: _Optional[bool] = ...) -> None: ...

class AuthorizationExpired(_message.Message):
    __slots__ = ("payment_id",)
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    def __init__(self, payment_id: _Optional[str] = ...) -> None: ...

class RefundRequested(_message.Message):
    __slots__ = ("payment_id", "refund_id", "request_id", "amount")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    refund_id: str
    request_id: str
    amount: _money_pb2.Money
    def __init__(self, payment_id: _Optional[str] = ..., refund_id: _Optional[str] = ..., request_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class RefundSucceeded(_message.Message):
    __slots__ = ("payment_id", "order_id", "refund_id", "amount")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    refund_id: str
    amount: _money_pb2.Money
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., refund_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class RefundFailed(_message.Message):
    __slots__ = ("payment_id", "refund_id", "refusal")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    refund_id: str
    refusal: _payment_pb2.PaymentRefusal
    def __init__(self, payment_id: _Optional[str] = ..., refund_id: _Optional[str] = ..., refusal: _Optional[_Union[_payment_pb2.PaymentRefusal, _Mapping]] = ...) -> None: ...
