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

class PaymentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_STATE_UNSPECIFIED: _ClassVar[PaymentState]
    PAYMENT_STATE_AUTHORIZING: _ClassVar[PaymentState]
    PAYMENT_STATE_AUTHORIZED: _ClassVar[PaymentState]
    PAYMENT_STATE_DECLINED: _ClassVar[PaymentState]
    PAYMENT_STATE_CAPTURING: _ClassVar[PaymentState]
    PAYMENT_STATE_CAPTURED: _ClassVar[PaymentState]
    PAYMENT_STATE_VOIDING: _ClassVar[PaymentState]
    PAYMENT_STATE_VOIDED: _ClassVar[PaymentState]
    PAYMENT_STATE_EXPIRED: _ClassVar[PaymentState]

class DeclineCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECLINE_CODE_UNSPECIFIED: _ClassVar[DeclineCode]
    DECLINE_CODE_INSUFFICIENT_FUNDS: _ClassVar[DeclineCode]
    DECLINE_CODE_EXPIRED_CARD: _ClassVar[DeclineCode]
    DECLINE_CODE_LOST_OR_STOLEN: _ClassVar[DeclineCode]
    DECLINE_CODE_SUSPECTED_FRAUD: _ClassVar[DeclineCode]
    DECLINE_CODE_DO_NOT_HONOR: _ClassVar[DeclineCode]
    DECLINE_CODE_UNKNOWN_METHOD: _ClassVar[DeclineCode]

class PaymentRefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_REFUSAL_REASON_UNSPECIFIED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_ORDER_DEADLINE_PASSED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_AUTHORIZATION_EXPIRED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_AUTHORIZATION_VOIDED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_NOT_AUTHORIZED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_NOT_CAPTURED: _ClassVar[PaymentRefusalReason]
    PAYMENT_REFUSAL_REASON_REFUND_REFUSED: _ClassVar[PaymentRefusalReason]

class CaptureState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURE_STATE_UNSPECIFIED: _ClassVar[CaptureState]
    CAPTURE_STATE_PENDING: _ClassVar[CaptureState]
    CAPTURE_STATE_CAPTURED: _ClassVar[CaptureState]
    CAPTURE_STATE_NOT_CAPTURED: _ClassVar[CaptureState]

class RefundState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUND_STATE_UNSPECIFIED: _ClassVar[RefundState]
    REFUND_STATE_PENDING: _ClassVar[RefundState]
    REFUND_STATE_SUCCEEDED: _ClassVar[RefundState]
    REFUND_STATE_FAILED: _ClassVar[RefundState]
PAYMENT_STATE_UNSPECIFIED: PaymentState
PAYMENT_STATE_AUTHORIZING: PaymentState
PAYMENT_STATE_AUTHORIZED: PaymentState
PAYMENT_STATE_DECLINED: PaymentState
PAYMENT_STATE_CAPTURING: PaymentState
PAYMENT_STATE_CAPTURED: PaymentState
PAYMENT_STATE_VOIDING: PaymentState
PAYMENT_STATE_VOIDED: PaymentState
PAYMENT_STATE_EXPIRED: PaymentState
DECLINE_CODE_UNSPECIFIED: DeclineCode
DECLINE_CODE_INSUFFICIENT_FUNDS: DeclineCode
DECLINE_CODE_EXPIRED_CARD: DeclineCode
DECLINE_CODE_LOST_OR_STOLEN: DeclineCode
DECLINE_CODE_SUSPECTED_FRAUD: DeclineCode
DECLINE_CODE_DO_NOT_HONOR: DeclineCode
DECLINE_CODE_UNKNOWN_METHOD: DeclineCode
PAYMENT_REFUSAL_REASON_UNSPECIFIED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_ORDER_DEADLINE_PASSED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_AUTHORIZATION_EXPIRED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_AUTHORIZATION_VOIDED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_NOT_AUTHORIZED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_NOT_CAPTURED: PaymentRefusalReason
PAYMENT_REFUSAL_REASON_REFUND_REFUSED: PaymentRefusalReason
CAPTURE_STATE_UNSPECIFIED: CaptureState
CAPTURE_STATE_PENDING: CaptureState
CAPTURE_STATE_CAPTURED: CaptureState
CAPTURE_STATE_NOT_CAPTURED: CaptureState
REFUND_STATE_UNSPECIFIED: RefundState
REFUND_STATE_PENDING: RefundState
REFUND_STATE_SUCCEEDED: RefundState
REFUND_STATE_FAILED: RefundState

class PaymentRefusal(_message.Message):
    __slots__ = ("reason", "facts")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    reason: PaymentRefusalReason
    facts: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[_Union[PaymentRefusalReason, str]] = ..., facts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Capture(_message.Message):
    __slots__ = ("request_id", "state", "refusal")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    state: CaptureState
    refusal: PaymentRefusal
    def __init__(self, request_id: _Optional[str] = ..., state: _Optional[_Union[CaptureState, str]] = ..., refusal: _Optional[_Union[PaymentRefusal, _Mapping]] = ...) -> None: ...

class Refund(_message.Message):
    __slots__ = ("refund_id", "request_id", "amount", "state", "refusal", "create_time")
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    refund_id: str
    request_id: str
    amount: _money_pb2.Money
    state: RefundState
    refusal: PaymentRefusal
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, refund_id: _Optional[str] = ..., request_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., state: _Optional[_Union[RefundState, str]] = ..., refusal: _Optional[_Union[PaymentRefusal, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Payment(_message.Message):
    __slots__ = ("payment_id", "order_id", "customer_id", "state", "amount", "captured_amount", "refunded_amount", "refund_pending_amount", "refusal", "decline_code", "authorize_request_id", "authorize_expire_time", "void_requested", "captures", "refunds", "version", "create_time", "update_time")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUND_PENDING_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    VOID_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CAPTURES_FIELD_NUMBER: _ClassVar[int]
    REFUNDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    order_id: str
    customer_id: str
    state: PaymentState
    amount: _money_pb2.Money
    captured_amount: _money_pb2.Money
    refunded_amount: _money_pb2.Money
    refund_pending_amount: _money_pb2.Money
    refusal: PaymentRefusal
    decline_code: DeclineCode
    authorize_request_id: str
    authorize_expire_time: _timestamp_pb2.Timestamp
    void_requested: bool
    captures: _containers.RepeatedCompositeFieldContainer[Capture]
    refunds: _containers.RepeatedCompositeFieldContainer[Refund]
    version: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., state: _Optional[_Union[PaymentState, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., captured_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., refunded_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., refund_pending_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., refusal: _Optional[_Union[PaymentRefusal, _Mapping]] = ..., decline_code: _Optional[_Union[DeclineCode, str]] = ..., authorize_request_id: _Optional[str] = ..., authorize_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., void_requested: _Optional[bool] = ..., captures: _Optional[_Iterable[_Union[Capture, _Mapping]]] = ..., refunds: _Optional[_Iterable[_Union[Refund, _Mapping]]] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
