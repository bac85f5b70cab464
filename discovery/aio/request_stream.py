"""Requests of a client stream: from a caller's iterator, or written one by one."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeVar

import grpc

from discovery.call.serialization import Serializer

RequestT = TypeVar("RequestT")

_ENDED = "RPC already finished."
_HALF_CLOSED = 'RPC is half closed after calling "done_writing".'


class IteratedRequests:
    """A caller's iterator of requests; each is serialized when the attempt asks for it.

    grpc.aio cancels the RPC when the iterator raises; `error` keeps what the serializer raised.
    """

    def __init__(
        self,
        requests: AsyncIterable[RequestT] | Iterable[RequestT],
        serializer: Serializer[RequestT],
    ) -> None:
        self._requests = requests
        self._serializer = serializer
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each request as bytes."""
        if isinstance(self._requests, AsyncIterable):
            async for request in self._requests:
                yield self._serialized(request)
        else:
            for request in self._requests:
                yield self._serialized(request)

    def _serialized(self, request: Any) -> bytes:
        try:
            return self._serializer(request)
        except Exception as error:
            self.error = error
            raise


class WrittenRequests:
    """Requests that a caller writes, as the iterator that interceptors expect."""

    def __init__(self) -> None:
        # One request at a time, so that flow control on the wire also slows the writer.
        self._queue: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue(maxsize=1)
        self._half_closed = False
        self._rpc: grpc.aio.Call | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def carried_by(self, rpc: grpc.aio.Call | None) -> None:
        """Set the call that reads the requests; writing is over when that call ends."""
        self._rpc = rpc
        if rpc is not None:
            # Once for the stream: a call forgets no callback before its end.
            rpc.add_done_callback(self._over)

    def _over(self, _: object) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield each written request until `done_writing`."""
        while written := await self._queue.get():
            yield written[0]

    async def write(self, request: Any) -> None:
        """Pass one request on. Raises InvalidStateError once the RPC or the writing is over."""
        if self._half_closed:
            raise asyncio.InvalidStateError(_HALF_CLOSED)
        await self._put((request,))

    async def done_writing(self) -> None:
        """End the requests. A second call does nothing."""
        if not self._half_closed and not self._is_over():
            self._half_closed = True
            await self._put(())

    def _is_over(self) -> bool:
        return self._rpc is not None and self._rpc.done()

    async def _put(self, written: tuple[Any, ...]) -> None:
        """Put a request into the queue; wait until it is taken or the RPC ends."""
        if not self._is_over():
            handing_over = asyncio.ensure_future(self._queue.put(written))
            try:
                await asyncio.wait([handing_over, self._ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                handing_over.cancel()
        if self._is_over():
            raise asyncio.InvalidStateError(_ENDED)
