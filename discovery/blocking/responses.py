"""What a stub calls: methods whose responses are a stream."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import grpc

from discovery.blocking import retrying
from discovery.blocking.connected import Connected
from discovery.blocking.errors import as_call
from discovery.blocking.opening import Opener, ended
from discovery.blocking.outgoing import Outgoing
from discovery.blocking.serialized import serialized
from discovery.blocking.subchannel import Subchannel
from discovery.metadata import MetadataLike


class UnaryStream(grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    """A method with one request and many responses."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __call__(  # noqa: PLR0917 - grpc's signature
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> Any:
        """The responses, and the call."""
        try:
            message = serialized(self._opener.serializer, request)
        except grpc.RpcError as error:
            return error
        connected = self._opener.connected()
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )
        return Responses(connected, outgoing, self._opener.deserializer, message)


class StreamStream(grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """A method with many requests and many responses; attempted once."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __call__(  # noqa: PLR0917 - grpc's signature
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,  # noqa: FBT001 - grpc's signature
        compression: grpc.Compression | None = None,
    ) -> Any:
        """The picked instance's own call: the responses."""
        outgoing = self._opener.outgoing(
            timeout, metadata, credentials, wait_for_ready, compression
        )

        def begin(picked: Subchannel) -> Any:
            made = self._opener.multicallable(picked, outgoing)
            return made(request_iterator, **outgoing.arguments())

        return self._opener.begun(outgoing, begin)


class Responses(grpc.RpcError, grpc.Call):
    """A stream of responses, attempted again where it fails before its first message.

    An RpcError as well, as grpc's own are: it may be what an interceptor hands on as the outcome.

    Reading drives it: `next()` waits, retries and commits. Whoever asks for metadata or status
    first commits the attempt that is under way.
    """

    def __init__(
        self, connected: Connected, outgoing: Outgoing, deserializer: Any, message: bytes
    ) -> None:
        super().__init__()
        self._connected = connected
        self._outgoing = outgoing
        self._deserializer = deserializer
        self._message = message
        self._committed = False
        self._cancelled = False
        self._retries = retrying.begin(connected, outgoing)
        self._picked: Subchannel | None = None
        self._attempt: Any = self._begin()

    def _begin(self) -> Any:
        """The next attempt; where nothing could be picked, the error, as an ended call."""
        self._picked = None
        try:
            picked = self._outgoing.pick(self._connected)
        except grpc.RpcError as error:
            return as_call(error)
        made = picked.multicallable(self._outgoing.method, None, self._deserializer)
        try:
            attempt = made(self._message, **self._outgoing.arguments())
        except BaseException:
            self._connected.balancer.release(picked)
            raise
        if self._cancelled:
            attempt.cancel()
        attempt.add_done_callback(partial(ended, self._connected, self._outgoing, picked))
        self._picked = picked
        return attempt

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next response. Raises the error that the stream ended with."""
        while True:
            try:
                response = self._read()
            except grpc.RpcError as error:
                if self._committed or self._cancelled:
                    raise
                retrying.wait(self._connected, self._outgoing, self._retries, error, self._picked)
                self._attempt = self._begin()
                continue
            if not self._committed:
                self._committed = True
                if self._picked is not None:
                    retrying.succeeded(self._connected, self._outgoing, self._picked)
            return response

    def _read(self) -> Any:
        """The attempt's next response; what ended before it began raises itself."""
        if self._picked is None:
            raise self._attempt
        try:
            return next(self._attempt)
        except StopIteration:
            self._committed = True
            raise

    def cancel(self) -> bool:
        """End the stream. False where it had ended already."""
        self._cancelled = True
        return bool(self._attempt.cancel())

    def is_active(self) -> bool:
        return bool(self._attempt.is_active())

    def time_remaining(self) -> Any:
        """Seconds until the deadline; None without one."""
        return self._outgoing.remaining(self._connected)()

    def add_callback(self, callback: Any) -> bool:
        """Call back when the attempt under way has ended."""
        return bool(self._attempt.add_callback(callback))

    def _asked(self) -> Any:
        self._committed = True
        return self._attempt

    def initial_metadata(self) -> Any:
        """The initial metadata, as soon as it arrives."""
        return self._asked().initial_metadata()

    def trailing_metadata(self) -> Any:
        """The trailing metadata, once the stream has ended."""
        return self._asked().trailing_metadata()

    def code(self) -> Any:
        """The status code, once the stream has ended."""
        return self._asked().code()

    def details(self) -> Any:
        """The status details, once the stream has ended."""
        return self._asked().details()

    def debug_error_string(self) -> Any:
        """What C-core has to say about an error."""
        return self._asked().debug_error_string()

    def add_done_callback(self, fn: Any) -> None:
        """Call `fn(self)` when the attempt under way has ended."""
        self._asked().add_done_callback(lambda _: fn(self))

    def done(self) -> bool:
        return not self.is_active()

    def cancelled(self) -> bool:
        return bool(self._attempt.cancelled())
