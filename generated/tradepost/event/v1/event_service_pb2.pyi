import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from tradepost.event.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadEventsRequest(_message.Message):
    __slots__ = ("after_position", "types", "aggregate_id", "page_size")
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    after_position: int
    types: _containers.RepeatedScalarFieldContainer[str]
    aggregate_id: str
    page_size: int
    def __init__(self, after_position: _Optional[int] = ..., types: _Optional[_Iterable[str]] = ..., aggregate_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ReadEventsResponse(_message.Message):
    __slots__ = ("events", "next_position", "head_position")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_POSITION_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    next_position: int
    head_position: int
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., next_position: _Optional[int] = ..., head_position: _Optional[int] = ...) -> None: ...

class SubscribeEventsRequest(_message.Message):
    __slots__ = ("consumer", "epoch", "after_position", "types", "max_batch", "gather", "topic")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    GATHER_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    epoch: str
    after_position: int
    types: _containers.RepeatedScalarFieldContainer[str]
    max_batch: int
    gather: _duration_pb2.Duration
    topic: str
    def __init__(self, consumer: _Optional[str] = ..., epoch: _Optional[str] = ..., after_position: _Optional[int] = ..., types: _Optional[_Iterable[str]] = ..., max_batch: _Optional[int] = ..., gather: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., topic: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("position", "head")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    position: int
    head: int
    def __init__(self, position: _Optional[int] = ..., head: _Optional[int] = ...) -> None: ...

class SubscribeEventsResponse(_message.Message):
    __slots__ = ("batch", "heartbeat")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    batch: Batch
    heartbeat: Heartbeat
    def __init__(self, batch: _Optional[_Union[Batch, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class GetFeedRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetFeedResponse(_message.Message):
    __slots__ = ("feed", "epoch", "oldest_position", "head_position")
    FEED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    OLDEST_POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_POSITION_FIELD_NUMBER: _ClassVar[int]
    feed: str
    epoch: str
    oldest_position: int
    head_position: int
    def __init__(self, feed: _Optional[str] = ..., epoch: _Optional[str] = ..., oldest_position: _Optional[int] = ..., head_position: _Optional[int] = ...) -> None: ...

class ListSubscriptionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSubscriptionsResponse(_message.Message):
    __slots__ = ("subscriptions",)
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    subscriptions: _containers.RepeatedCompositeFieldContainer[_event_pb2.Subscription]
    def __init__(self, subscriptions: _Optional[_Iterable[_Union[_event_pb2.Subscription, _Mapping]]] = ...) -> None: ...

class RewindSubscriptionRequest(_message.Message):
    __slots__ = ("request_id", "consumer", "after_position")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    consumer: str
    after_position: int
    def __init__(self, request_id: _Optional[str] = ..., consumer: _Optional[str] = ..., after_position: _Optional[int] = ...) -> None: ...

class RewindSubscriptionResponse(_message.Message):
    __slots__ = ("rewound_from",)
    REWOUND_FROM_FIELD_NUMBER: _ClassVar[int]
    rewound_from: _event_pb2.Subscription
    def __init__(self, rewound_from: _Optional[_Union[_event_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("consumer", "page_size", "page_token")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    page_size: int
    page_token: str
    def __init__(self, consumer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_page_token")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[_event_pb2.DeadLetter]
    next_page_token: str
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[_event_pb2.DeadLetter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReplayDeadLettersRequest(_message.Message):
    __slots__ = ("request_id", "consumer", "aggregate_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    consumer: str
    aggregate_id: str
    def __init__(self, request_id: _Optional[str] = ..., consumer: _Optional[str] = ..., aggregate_id: _Optional[str] = ...) -> None: ...

class ReplayDeadLettersResponse(_message.Message):
    __slots__ = ("applied_count",)
    APPLIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    applied_count: int
    def __init__(self, applied_count: _Optional[int] = ...) -> None: ...

class DiscardDeadLetterRequest(_message.Message):
    __slots__ = ("request_id", "dead_letter_id", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    dead_letter_id: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., dead_letter_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DiscardDeadLetterResponse(_message.Message):
    __slots__ = ("dead_letter",)
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    dead_letter: _event_pb2.DeadLetter
    def __init__(self, dead_letter: _Optional[_Union[_event_pb2.DeadLetter, _Mapping]] = ...) -> None: ...
