import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tradepost.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LedgerAccount(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEDGER_ACCOUNT_UNSPECIFIED: _ClassVar[LedgerAccount]
    LEDGER_ACCOUNT_AUTHORIZED: _ClassVar[LedgerAccount]
    LEDGER_ACCOUNT_AUTHORIZED_CONTRA: _ClassVar[LedgerAccount]
    LEDGER_ACCOUNT_PROCESSOR_CLEARING: _ClassVar[LedgerAccount]
    LEDGER_ACCOUNT_CUSTOMER_FUNDS: _ClassVar[LedgerAccount]

class LedgerSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEDGER_SIDE_UNSPECIFIED: _ClassVar[LedgerSide]
    LEDGER_SIDE_DEBIT: _ClassVar[LedgerSide]
    LEDGER_SIDE_CREDIT: _ClassVar[LedgerSide]

class LedgerPostingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEDGER_POSTING_KIND_UNSPECIFIED: _ClassVar[LedgerPostingKind]
    LEDGER_POSTING_KIND_AUTHORIZED: _ClassVar[LedgerPostingKind]
    LEDGER_POSTING_KIND_AUTHORIZATION_REVERSED: _ClassVar[LedgerPostingKind]
    LEDGER_POSTING_KIND_CAPTURED: _ClassVar[LedgerPostingKind]
    LEDGER_POSTING_KIND_REFUNDED: _ClassVar[LedgerPostingKind]
LEDGER_ACCOUNT_UNSPECIFIED: LedgerAccount
LEDGER_ACCOUNT_AUTHORIZED: LedgerAccount
LEDGER_ACCOUNT_AUTHORIZED_CONTRA: LedgerAccount
LEDGER_ACCOUNT_PROCESSOR_CLEARING: LedgerAccount
LEDGER_ACCOUNT_CUSTOMER_FUNDS: LedgerAccount
LEDGER_SIDE_UNSPECIFIED: LedgerSide
LEDGER_SIDE_DEBIT: LedgerSide
LEDGER_SIDE_CREDIT: LedgerSide
LEDGER_POSTING_KIND_UNSPECIFIED: LedgerPostingKind
LEDGER_POSTING_KIND_AUTHORIZED: LedgerPostingKind
LEDGER_POSTING_KIND_AUTHORIZATION_REVERSED: LedgerPostingKind
LEDGER_POSTING_KIND_CAPTURED: LedgerPostingKind
LEDGER_POSTING_KIND_REFUNDED: LedgerPostingKind

class LedgerEntry(_message.Message):
    __slots__ = ("sequence", "posting_id", "payment_id", "order_id", "kind", "request_id", "account", "side", "amount", "occur_time")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    POSTING_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    posting_id: str
    payment_id: str
    order_id: str
    kind: LedgerPostingKind
    request_id: str
    account: LedgerAccount
    side: LedgerSide
    amount: _money_pb2.Money
    occur_time: _timestamp_pb2.Timestamp
    def __init__(self, sequence: _Optional[int] = ..., posting_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., order_id: _Optional[str] = ..., kind: _Optional[_Union[LedgerPostingKind, str]] = ..., request_id: _Optional[str] = ..., account: _Optional[_Union[LedgerAccount, str]] = ..., side: _Optional[_Union[LedgerSide, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
