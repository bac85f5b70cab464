from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class EventErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_ERROR_REASON_UNSPECIFIED: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_INVALID_REQUEST: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_MALFORMED_MESSAGE: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_NOT_IMPLEMENTED: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_POSITION_TRUNCATED: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_POSITION_AHEAD_OF_HEAD: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_EPOCH_CHANGED: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_DEAD_LETTER_NOT_FOUND: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_CONSUMER_NOT_FOUND: _ClassVar[EventErrorReason]
    EVENT_ERROR_REASON_POSITION_NOT_REACHED: _ClassVar[EventErrorReason]
EVENT_ERROR_REASON_UNSPECIFIED: EventErrorReason
EVENT_ERROR_REASON_INVALID_REQUEST: EventErrorReason
EVENT_ERROR_REASON_MALFORMED_MESSAGE: EventErrorReason
EVENT_ERROR_REASON_NOT_IMPLEMENTED: EventErrorReason
EVENT_ERROR_REASON_POSITION_TRUNCATED: EventErrorReason
EVENT_ERROR_REASON_POSITION_AHEAD_OF_HEAD: EventErrorReason
EVENT_ERROR_REASON_EPOCH_CHANGED: EventErrorReason
EVENT_ERROR_REASON_DEAD_LETTER_NOT_FOUND: EventErrorReason
EVENT_ERROR_REASON_CONSUMER_NOT_FOUND: EventErrorReason
EVENT_ERROR_REASON_POSITION_NOT_REACHED: EventErrorReason
