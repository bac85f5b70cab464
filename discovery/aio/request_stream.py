"""The requests of a client stream, on their way to the wire."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeVar

import grpc

from discovery.call.serialization import Serializer

RequestT = TypeVar("RequestT")

_ENDED = "RPC already finished."
_HALF_CLOSED = 'RPC is half closed after calling "done_writing".'


class Requests:
    """A caller's iterator of requests, serialized one by one as the attempt asks for them.

    grpc.aio answers an exception in there by cancelling the RPC; `error` keeps a serializer's.
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
        """Each request as bytes."""
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


class Written:
    """What a caller writes, as the iterator of requests that interceptors expect."""

    def __init__(self) -> None:
        # One request at a time, so that a writer is held back as far as the wire is.
        self._queue: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue(maxsize=1)
        self._half_closed = False
        self._rpc: grpc.aio.Call | None = None

    def carried_by(self, rpc: grpc.aio.Call | None) -> None:
        """Say which call reads the requests: writing ends when it does."""
        self._rpc = rpc

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Each request as it was written, until `done_writing`."""
        while written := await self._queue.get():
            yield written[0]

    async def write(self, request: Any) -> None:
        """Hand one request over. Raises InvalidStateError once the RPC or the writing is over."""
        if self._half_closed:
            raise asyncio.InvalidStateError(_HALF_CLOSED)
        await self._put((request,))

    async def done_writing(self) -> None:
        """End the requests; a second time does nothing."""
        if not self._half_closed and not self._is_over():
            self._half_closed = True
            await self._put(())

    def _is_over(self) -> bool:
        return self._rpc is not None and self._rpc.done()

    async def _put(self, written: tuple[Any, ...]) -> None:
        """Wait for the reader of the queue, or for the end of the RPC."""
        if not self._is_over():
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[None] = loop.create_future()

            def over(_: object) -> None:
                if not ended.done():
                    ended.set_result(None)

            if self._rpc is not None:
                self._rpc.add_done_callback(over)
            handing_over = loop.create_task(self._queue.put(written))
            try:
                await asyncio.wait([handing_over, ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
                handing_over.cancel()
        if self._is_over():
            raise asyncio.InvalidStateError(_ENDED)
