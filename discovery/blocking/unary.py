"""What a stub calls: methods whose response is one message."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from discovery.blocking import retrying
from discovery.blocking.connected import Connected
from discovery.blocking.future import CallFuture
from discovery.blocking.opening import Opener
from discovery.blocking.outgoing import Outgoing
from discovery.blocking.serialized import serialized
from discovery.blocking.subchannel import Subchannel
from discovery.metadata import MetadataLike


class UnaryUnary(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    """A method with one request and one response. Bad metadata raises InvalidMetadataError."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __call__(self, request: Any, *arguments: Any, **keywords: Any) -> Any:
        """The response. Raises grpc.RpcError."""
        return self.with_call(request, *arguments, **keywords)[0]

    def with_call(  # noqa: PLR0917 - grpc's signature
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> tuple[Any, Any]:
        """The response, and the ended call. Raises grpc.RpcError."""
        message = serialized(self._opener.serializer, request)
        connected = self._opener.connected()
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )

        def attempt(picked: Subchannel) -> tuple[Any, Any]:
            made = picked.multicallable(outgoing.method, None, self._opener.deserializer)
            answered: tuple[Any, Any] = made.with_call(message, **outgoing.arguments())
            return answered

        return retrying.call(connected, outgoing, attempt)

    def future(  # noqa: PLR0917 - grpc's signature
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> Any:
        """The call, under way in a thread of its own."""
        message = serialized(self._opener.serializer, request)
        connected = self._opener.connected()
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )
        run = partial(_run, connected, outgoing, self._opener.deserializer, message)
        return CallFuture(run, outgoing.remaining(connected))


class StreamUnary(grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A method with many requests and one response; attempted once."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __call__(self, request_iterator: Any, *arguments: Any, **keywords: Any) -> Any:
        """The response. Raises grpc.RpcError."""
        return self.with_call(request_iterator, *arguments, **keywords)[0]

    def with_call(  # noqa: PLR0917 - grpc's signature
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> tuple[Any, Any]:
        """The response, and the ended call. Raises grpc.RpcError."""
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )
        connected, picked = self._opener.open(outgoing)

        def attempt(picked: Subchannel) -> tuple[Any, Any]:
            made = self._opener.multicallable(picked, outgoing)
            answered: tuple[Any, Any] = made.with_call(request_iterator, **outgoing.arguments())
            return answered

        return retrying.observed(connected, outgoing, picked, attempt)

    def future(  # noqa: PLR0917 - grpc's signature
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> Any:
        """The picked instance's own call, under way."""
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )

        def begin(picked: Subchannel) -> Any:
            made = self._opener.multicallable(picked, outgoing)
            return made.future(request_iterator, **outgoing.arguments())

        return self._opener.begun(outgoing, begin)


def _run(
    connected: Connected,
    outgoing: Outgoing,
    deserializer: Callable[[bytes], Any] | None,
    message: bytes,
    future: CallFuture,
) -> tuple[Any, Any]:
    def attempt(picked: Subchannel) -> tuple[Any, Any]:
        made = picked.multicallable(outgoing.method, None, deserializer)
        call = made.future(message, **outgoing.arguments())
        future.began(call)
        return call.result(), call

    return retrying.call(connected, outgoing, attempt)
