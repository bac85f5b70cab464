"""Refuses calls of services that Consul's intentions deny, and ends those that run already.

A denied peer still gets health: callers watch it on each connection, and learn from a call why they
are refused, not from a connection that looks dead.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from discovery.registry.consul.intentions import ConsulIntentions
from services.chassis.identity.peer import PeerOf
from services.chassis.request.context import Context
from services.chassis.server.errors import PeerDeniedError
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.telemetry import logs

_HEALTH_PREFIX = "/grpc.health."


class PeerCheck:
    """The layer that decides by peer, and knows the calls of each.

    `run` ends the calls of a peer that a change denies.
    """

    def __init__(self, source: ConsulIntentions, *, peer: PeerOf) -> None:
        self._source = source
        self._peer = peer
        self._calls: set[_RunningCall] = set()
        self._log = logs.get_logger("intentions")

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Act before all layers that know the caller."""
        if method.path.startswith(_HEALTH_PREFIX):
            return inner
        return self._streaming(inner) if method.response_streaming else self._unary(inner)

    async def run(self) -> None:
        """End the calls of denied peers, after each change, until cancelled."""
        table = self._source.current
        while True:
            denied = [call for call in self._calls if not table.allows(call.peer)]
            for call in denied:
                call.end()
            if denied:
                peers = sorted({call.peer for call in denied})
                self._log.warning("calls_ended", peers=peers, calls=len(denied))
            table = await self._source.changed(table)

    def _unary(self, inner: Behavior) -> Behavior:
        async def allowed(request: Any, context: Context) -> Any:
            call = self._begin(context)
            try:
                return await inner(request, context)
            except asyncio.CancelledError:
                call.raise_if_ended(self._source.current.service)
                raise
            finally:
                self._calls.discard(call)

        return allowed

    def _streaming(self, inner: Behavior) -> Behavior:
        async def allowed(request: Any, context: Context) -> AsyncIterator[Any]:
            call = self._begin(context)
            try:
                async with aclosing(inner(request, context)) as messages:
                    async for message in messages:
                        call.is_writing = True
                        yield message
                        call.is_writing = False
                        call.raise_if_ended(self._source.current.service)
            except asyncio.CancelledError:
                call.raise_if_ended(self._source.current.service)
                raise
            finally:
                self._calls.discard(call)

        return allowed

    def _begin(self, context: Context) -> "_RunningCall":
        """Note the call. Raises PeerDeniedError."""
        peer, table = self._peer(context), self._source.current
        if not table.allows(peer):
            raise PeerDeniedError(peer=peer, service=table.service)
        call = _RunningCall(peer)
        self._calls.add(call)
        return call


class _RunningCall:
    """A call of a peer, which can be ended from outside.

    Its task is cancelled, and the layer answers with the reason. gRPC itself answers a cancelled
    task with nothing, so a task that is writing a message is left alone: it ends after it.
    """

    __slots__ = ("_is_ended", "_task", "is_writing", "peer")

    def __init__(self, peer: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - grpc.aio runs each call in one
        self.peer = peer
        self.is_writing = False
        self._task = task
        self._is_ended = False

    def end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            if not self.is_writing:
                self._task.cancel()

    def raise_if_ended(self, service: str) -> None:
        """Raise PeerDeniedError in the place of the cancellation."""
        if self._is_ended:
            self._task.uncancel()
            raise PeerDeniedError(peer=self.peer, service=service)
