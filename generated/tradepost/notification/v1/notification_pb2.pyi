import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NotificationTemplate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTIFICATION_TEMPLATE_UNSPECIFIED: _ClassVar[NotificationTemplate]
    NOTIFICATION_TEMPLATE_ORDER_CONFIRMED: _ClassVar[NotificationTemplate]
    NOTIFICATION_TEMPLATE_ORDER_REJECTED: _ClassVar[NotificationTemplate]
    NOTIFICATION_TEMPLATE_ORDER_CANCELLED: _ClassVar[NotificationTemplate]
    NOTIFICATION_TEMPLATE_ORDER_REFUNDED: _ClassVar[NotificationTemplate]
    NOTIFICATION_TEMPLATE_ORDER_FULFILLED: _ClassVar[NotificationTemplate]

class NotificationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTIFICATION_STATE_UNSPECIFIED: _ClassVar[NotificationState]
    NOTIFICATION_STATE_PENDING: _ClassVar[NotificationState]
    NOTIFICATION_STATE_SENT: _ClassVar[NotificationState]
    NOTIFICATION_STATE_REFUSED: _ClassVar[NotificationState]
NOTIFICATION_TEMPLATE_UNSPECIFIED: NotificationTemplate
NOTIFICATION_TEMPLATE_ORDER_CONFIRMED: NotificationTemplate
NOTIFICATION_TEMPLATE_ORDER_REJECTED: NotificationTemplate
NOTIFICATION_TEMPLATE_ORDER_CANCELLED: NotificationTemplate
NOTIFICATION_TEMPLATE_ORDER_REFUNDED: NotificationTemplate
NOTIFICATION_TEMPLATE_ORDER_FULFILLED: NotificationTemplate
NOTIFICATION_STATE_UNSPECIFIED: NotificationState
NOTIFICATION_STATE_PENDING: NotificationState
NOTIFICATION_STATE_SENT: NotificationState
NOTIFICATION_STATE_REFUSED: NotificationState

class Notification(_message.Message):
    __slots__ = ("notification_id", "order_id", "customer_id", "template", "state", "recipient", "subject", "body", "error", "create_time", "send_time")
    NOTIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEND_TIME_FIELD_NUMBER: _ClassVar[int]
    notification_id: str
    order_id: str
    customer_id: str
    template: NotificationTemplate
    state: NotificationState
    recipient: str
    subject: str
    body: str
    error: str
    create_time: _timestamp_pb2.Timestamp
    send_time: _timestamp_pb2.Timestamp
    def __init__(self, notification_id: _Optional[str] = ..., order_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., template: _Optional[_Union[NotificationTemplate, str]] = ..., state: _Optional[_Union[NotificationState, str]] = ..., recipient: _Optional[str] = ..., subject: _Optional[str] = ..., body: _Optional[str] = ..., error: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., send_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
