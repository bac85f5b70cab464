"""What a stub calls: the methods of an asyncio channel, of all four kinds."""

from collections.abc import AsyncIterable, Iterable
from typing import Generic, TypeVar

import grpc

from discovery.aio.call_opener import CallingChannel, StreamOpener, insecure
from discovery.aio.sent import UnarySend
from discovery.aio.stream_calls import StreamStreamCall, StreamUnaryCall, UnaryStreamCall
from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from discovery.call.metadata import MetadataLike, validated
from discovery.call.serialization import Deserializer, Serializer

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class UnaryUnary(
    grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A method with one request and one response."""

    def __init__(
        self,
        channel: CallingChannel,
        send: UnarySend,
        serializer: Serializer[RequestT],
        deserializer: Deserializer[ResponseT],
    ) -> None:
        self._channel = channel
        self._send = send
        self._serializer = serializer
        self._deserializer = deserializer
        self._monotonic = channel.clock.monotonic

    def __call__(
        self,
        request: RequestT,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryCall[RequestT, ResponseT]:
        """Send the request.

        Raises what the serializer raises, InvalidMetadataError, and UsageError for credentials of
        the call on a channel that has none.
        """
        channel = self._channel
        if credentials is not None and not channel.secure:
            channel.running_loop()  # a closed channel comes first, as in grpc.aio
            raise insecure()
        call_state = CallState(
            self._serializer(request),
            timeout,
            None if metadata is None else validated(metadata),
            credentials,
            wait_for_ready,
            compression,
        )
        return UnaryCall(
            self._send,
            call_state,
            self._deserializer,
            channel.loop or channel.running_loop(),
            self._monotonic,
        )


class UnaryStream(
    grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A method with one request and many responses."""

    def __init__(self, opener: StreamOpener) -> None:
        self._opener = opener

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
        call_state = CallState(None, timeout, pairs, credentials, wait_for_ready, compression)
        return UnaryStreamCall(self._opener.of_request(request, call_state))


# The next two of grpc.aio's classes take no type parameters in grpcio 1.83 and older.
class StreamUnary(
    grpc.aio.StreamUnaryMultiCallable,  # type: ignore[type-arg]
    Generic[RequestT, ResponseT],
):
    """A method with many requests and one response."""

    def __init__(self, opener: StreamOpener) -> None:
        self._opener = opener

    def __call__(  # noqa: PLR0917 - grpc.aio's signature
        self,
        request_iterator: AsyncIterable[RequestT] | Iterable[RequestT] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc.aio's signature
        compression: grpc.Compression | None = None,
    ) -> StreamUnaryCall[RequestT, ResponseT]:
        """Begin the stream with an iterator of requests, or for `write`.

        Raises InvalidMetadataError.
        """
        pairs = None if metadata is None else validated(metadata)
        call_state = CallState(None, timeout, pairs, credentials, wait_for_ready, compression)
        return StreamUnaryCall(self._opener.of_requests(request_iterator, call_state))


class StreamStream(
    grpc.aio.StreamStreamMultiCallable,  # type: ignore[type-arg]
    Generic[RequestT, ResponseT],
):
    """A method with many requests and many responses."""

    def __init__(self, opener: StreamOpener) -> None:
        self._opener = opener

    def __call__(  # noqa: PLR0917 - grpc.aio's signature
        self,
        request_iterator: AsyncIterable[RequestT] | Iterable[RequestT] | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc.aio's signature
        compression: grpc.Compression | None = None,
    ) -> StreamStreamCall[RequestT, ResponseT]:
        """Begin the stream with an iterator of requests, or for `write`.

        Raises InvalidMetadataError.
        """
        pairs = None if metadata is None else validated(metadata)
        call_state = CallState(None, timeout, pairs, credentials, wait_for_ready, compression)
        return StreamStreamCall(self._opener.of_requests(request_iterator, call_state))
