import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProcessorEntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROCESSOR_ENTRY_KIND_UNSPECIFIED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_AUTHORIZED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_DECLINED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_CAPTURED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_VOIDED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_EXPIRED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_REFUNDED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_CAPTURE_REFUSED: _ClassVar[ProcessorEntryKind]
    PROCESSOR_ENTRY_KIND_REFUND_REFUSED: _ClassVar[ProcessorEntryKind]
PROCESSOR_ENTRY_KIND_UNSPECIFIED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_AUTHORIZED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_DECLINED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_CAPTURED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_VOIDED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_EXPIRED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_REFUNDED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_CAPTURE_REFUSED: ProcessorEntryKind
PROCESSOR_ENTRY_KIND_REFUND_REFUSED: ProcessorEntryKind

class ProcessorEntry(_message.Message):
    __slots__ = ("sequence", "kind", "key", "authorization_reference", "order_id", "amount", "occur_time")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: ProcessorEntryKind
    key: str
    authorization_reference: str
    order_id: str
    amount: _money_pb2.Money
    occur_time: _timestamp_pb2.Timestamp
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[ProcessorEntryKind, str]] = ..., key: _Optional[str] = ..., authorization_reference: _Optional[str] = ..., order_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
