"""A grpc.Channel to all instances of a service, for any number of threads and processes."""

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from discovery.balancing.explanation import Explanation, nothing_yet
from discovery.blocking import native
from discovery.blocking.balancer import CLOSED
from discovery.blocking.call_opener import CallOpener
from discovery.blocking.connectivity import Callback, Subscriptions
from discovery.blocking.errors import ForkUnsupportedError
from discovery.blocking.multicallables import StreamStream, StreamUnary, UnaryStream, UnaryUnary
from discovery.blocking.process_state import ProcessState
from discovery.rules.method import Kind
from discovery.weak import weakly


class BlockingChannel(grpc.Channel):
    """One logical channel. Each process has its own state of it, made by its first call there."""

    def __init__(
        self, service: str, connect: Callable[[threading.Condition], ProcessState]
    ) -> None:
        self._service = service
        self._connect = connect
        self._process_states: dict[int, ProcessState] = {}
        self._closed = False
        self._renew_locks()
        _channels.add(self)

    def _renew_locks(self) -> None:
        """Make new locks: at a fork, another thread of the parent may have held the old ones."""
        self._changed = threading.Condition(threading.RLock())
        self._subscriptions = Subscriptions(
            self._changed, weakly(self._state, grpc.ChannelConnectivity.SHUTDOWN)
        )

    def process_state(self) -> ProcessState:
        """Return the state of this process; connect if it has none.

        Raises ValueError on a closed channel, and ForkUnsupportedError.
        """
        pid = os.getpid()
        found = self._process_states.get(pid)
        if found is not None and not self._closed:
            return found
        with self._changed:
            if self._closed:
                raise ValueError(CLOSED)
            if pid not in self._process_states:
                if self._process_states and not native.survives_fork():
                    raise ForkUnsupportedError
                # Keep a reference to the parent's state: collecting it here would close its calls.
                self._process_states[pid] = self._connect(self._changed)
                self._changed.notify_all()
            return self._process_states[pid]

    def _state(self) -> grpc.ChannelConnectivity:
        """Return the state of the channel: IDLE before this process has used it."""
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        found = self._process_states.get(os.getpid())
        return grpc.ChannelConnectivity.IDLE if found is None else found.balancer.state

    def subscribe(self, callback: Callback, try_to_connect: bool | None = False) -> None:  # noqa: FBT001, FBT002 - grpc's
        """Call back with the state, now and after each change, from a thread of this channel."""
        self._subscriptions.add(callback)
        if try_to_connect:
            self.process_state()

    def unsubscribe(self, callback: Callback) -> None:
        """Stop calling back."""
        self._subscriptions.remove(callback)

    def close(self) -> None:
        """Refuse new calls and cancel those in flight."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            mine = self._process_states.get(os.getpid())
            self._changed.notify_all()
        if mine is not None:
            mine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def explain(self, *, try_picks: int = 0) -> Explanation:
        """Return all that the channel knows and does in this process; empty before its first call.

        `try_picks`: make so many picks without a call, and count them by instance.
        """
        found = self._process_states.get(os.getpid())
        if found is None:
            return nothing_yet(self._service, self._state())
        return found.explain(try_picks=try_picks)

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> Any:
        """Return the multicallable of a unary method."""
        codec = (request_serializer, response_deserializer)
        registered = bool(_registered_method)
        return UnaryUnary(
            CallOpener(method, Kind.UNARY_UNARY, registered, *codec, self.process_state)
        )

    def unary_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> Any:
        """Return the multicallable of a method that responds with a stream."""
        codec = (request_serializer, response_deserializer)
        registered = bool(_registered_method)
        return UnaryStream(
            CallOpener(method, Kind.UNARY_STREAM, registered, *codec, self.process_state)
        )

    def stream_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> Any:
        """Return the multicallable of a method that takes a stream of requests."""
        codec = (request_serializer, response_deserializer)
        registered = bool(_registered_method)
        return StreamUnary(
            CallOpener(method, Kind.STREAM_UNARY, registered, *codec, self.process_state)
        )

    def stream_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - generated stubs pass it
    ) -> Any:
        """Return the multicallable of a method with a stream in each direction."""
        codec = (request_serializer, response_deserializer)
        registered = bool(_registered_method)
        return StreamStream(
            CallOpener(method, Kind.STREAM_STREAM, registered, *codec, self.process_state)
        )

    def _opener(
        self, path: str, kind: Kind, serializer: Any, deserializer: Any, *, registered: bool | None
    ) -> CallOpener:
        return CallOpener(
            path, kind, bool(registered), serializer, deserializer, self.process_state
        )

    def __del__(self) -> None:
        """End the thread that calls subscribers back."""
        self._subscriptions.wake()

    def forked(self) -> None:
        """Prepare for use in a forked child, which has none of its parent's threads."""
        # Collecting the parent's state here would close its calls.
        _of_parents.extend(self._process_states.values())
        self._renew_locks()


_of_parents: list[ProcessState] = []
_channels: "weakref.WeakSet[BlockingChannel]" = weakref.WeakSet()


def _in_child() -> None:
    for channel in list(_channels):
        channel.forked()


os.register_at_fork(after_in_child=_in_child)
