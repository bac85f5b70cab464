"""What a stub calls: one unary method of one channel."""

from typing import TYPE_CHECKING, Generic, TypeVar

import grpc

from discovery.aio.unary_call import Call
from discovery.call.call_state import Outgoing, Send
from discovery.call.metadata import MetadataLike, validated
from discovery.call.serialization import Deserializer, Serializer

if TYPE_CHECKING:
    from discovery.aio.channel import Channel

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class UnaryUnary(
    grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A unary method. Bad requests and metadata raise here, before anything is sent."""

    def __init__(
        self,
        channel: "Channel",
        send: Send,
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
    ) -> Call[RequestT, ResponseT]:
        """Send the request. Raises what the serializer raises, and InvalidMetadataError."""
        channel = self._channel
        outgoing = Outgoing(
            self._serializer(request),
            timeout,
            None if metadata is None else validated(metadata),
            credentials,
            wait_for_ready,
            compression,
        )
        return Call(
            self._send,
            outgoing,
            self._deserializer,
            channel.loop or channel.running_loop(),
            self._monotonic,
        )
