"""What a stub calls: one streaming method of one channel."""

from collections.abc import AsyncIterable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import grpc

from discovery.aio.layers.attempt import first_message
from discovery.aio.request_stream import Requests
from discovery.aio.stream import Stream
from discovery.aio.stream_attempts import Later
from discovery.aio.stream_calls import StreamStreamCall, StreamUnaryCall, UnaryStreamCall
from discovery.call.call_state import Outgoing, Send
from discovery.call.metadata import MetadataLike, validated
from discovery.call.serialization import Deserializer, Serializer
from discovery.rules.method import Method
from discovery.telemetry import recorder

if TYPE_CHECKING:
    from discovery.aio.channel import Channel

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class OpensStreams(Protocol):
    """Opens the streams of one method; the three kinds of multicallable stand on it."""

    def of_request(self, request: Any, outgoing: Outgoing) -> Stream: ...

    def of_requests(
        self, requests: AsyncIterable[Any] | Iterable[Any] | None, outgoing: Outgoing
    ) -> Stream: ...


class Streams(Generic[RequestT, ResponseT]):
    """Opens the streams of one method, through its stack."""

    def __init__(
        self,
        channel: "Channel",
        method: Method,
        send: Send,
        serializer: Serializer[RequestT],
        deserializer: Deserializer[ResponseT],
    ) -> None:
        self._channel = channel
        self._send = send
        self._serializer = serializer
        self._deserializer = deserializer
        self._method = method

    def of_request(self, request: RequestT, outgoing: Outgoing) -> Stream:
        """A stream of responses to one request."""
        outgoing.request = self._serializer(request)
        return self._stream(outgoing, None)

    def of_requests(
        self, requests: AsyncIterable[RequestT] | Iterable[RequestT] | None, outgoing: Outgoing
    ) -> Stream:
        """A stream of requests: an iterator's, or, for None, those that are written."""
        given = None if requests is None else Requests(requests, self._serializer)
        outgoing.request = None if given is None else aiter(given)
        return self._stream(outgoing, given)

    def _stream(self, outgoing: Outgoing, requests: Requests | None) -> Stream:
        loop = self._channel.running_loop()
        monotonic = self._channel.clock.monotonic
        sent: Any
        try:
            sent = self._send(outgoing)
        except grpc.aio.AioRpcError as error:
            sent = Later(partial(_refused, error))
        stream = Stream(
            sent,
            outgoing,
            requests=requests,
            serializer=self._serializer,
            deserializer=self._deserializer,
            received=lambda outgoing: first_message(self._method, monotonic(), outgoing),
            loop=loop,
            monotonic=monotonic,
        )
        recorder.follow(stream, outgoing.record)
        if outgoing.ended is not None:
            stream.add_done_callback(outgoing.ended)
        return stream


async def _refused(error: grpc.aio.AioRpcError) -> Any:
    raise error


class UnaryStream(
    grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A method with one request and many responses."""

    def __init__(self, streams: OpensStreams) -> None:
        self._streams = streams

    def __call__(
        self,
        request: RequestT,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryStreamCall[RequestT, ResponseT]:
        """Send the request. Raises what the serializer raises, and InvalidMetadataError."""
        pairs = None if metadata is None else validated(metadata)
        outgoing = Outgoing(None, timeout, pairs, credentials, wait_for_ready, compression)
        return UnaryStreamCall(self._streams.of_request(request, outgoing))


class StreamUnary(
    grpc.aio.StreamUnaryMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A method with many requests and one response."""

    def __init__(self, streams: OpensStreams) -> None:
        self._streams = streams

    def __call__(  # noqa: PLR0917 - grpc.aio's signature
        self,
        request_iterator: AsyncIterable[RequestT] | Iterable[RequestT] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc.aio's signature
        compression: grpc.Compression | None = None,
    ) -> StreamUnaryCall[RequestT, ResponseT]:
        """Begin the stream, of an iterator or of what is written. Raises InvalidMetadataError."""
        pairs = None if metadata is None else validated(metadata)
        outgoing = Outgoing(None, timeout, pairs, credentials, wait_for_ready, compression)
        return StreamUnaryCall(self._streams.of_requests(request_iterator, outgoing))


class StreamStream(
    grpc.aio.StreamStreamMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A method with many requests and many responses."""

    def __init__(self, streams: OpensStreams) -> None:
        self._streams = streams

    def __call__(  # noqa: PLR0917 - grpc.aio's signature
        self,
        request_iterator: AsyncIterable[RequestT] | Iterable[RequestT] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc.aio's signature
        compression: grpc.Compression | None = None,
    ) -> StreamStreamCall[RequestT, ResponseT]:
        """Begin the stream, of an iterator or of what is written. Raises InvalidMetadataError."""
        pairs = None if metadata is None else validated(metadata)
        outgoing = Outgoing(None, timeout, pairs, credentials, wait_for_ready, compression)
        return StreamStreamCall(self._streams.of_requests(request_iterator, outgoing))
