"""One connection to one instance, watched by a thread for its health."""

import random
import threading
from collections.abc import Callable
from typing import Any

import grpc

from discovery.balancing import health
from discovery.balancing.health import Health
from discovery.balancing.instance_stats import InstanceStats
from discovery.blocking.native import is_ready
from discovery.registry.instance import Instance
from discovery.rules.backoff import jittered
from discovery.rules.method import Method

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

_AGAIN_FIRST_S = 0.1
_AGAIN_CEILING_S = 5.0
_ASK_CONNECTION_EVERY_S = 0.2


class Subchannel:
    """A plain channel to an instance. `state` is READY when the instance can be picked.

    The health stream also watches the connection: it opens the connection and ends with it. The
    state is READY from the first SERVING on; CONNECTING while a stream that had an answer is opened
    again; TRANSIENT_FAILURE when it can't be opened, or says NOT_SERVING. A stream that breaks for
    a reason other than the connection leaves the state unchanged. `changed` is called from the
    watching thread, without a lock held.
    """

    def __init__(
        self,
        instance: Instance,
        native: grpc.Channel,
        record: InstanceStats,
        *,
        rng: random.Random,
        changed: Callable[[], None],
    ) -> None:
        self.instance = instance
        self.record = record
        self.load = record.load
        self.state = _CONNECTING
        self._native = native
        self._rng = rng
        self._changed = changed
        self._multicallables: dict[tuple[Any, ...], Any] = {}
        self._over = threading.Event()
        self._stream: Any = None
        self._health = Health.UNKNOWN
        # `is_still_ready` found the connection ended before the watching thread did.
        self._was_lost = False
        name = f"discovery-health-{instance.endpoint}"
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    @property
    def health(self) -> Health:
        """The instance's last answer of its health service."""
        return self._health

    def is_still_ready(self) -> bool:
        """Read the connection's state: it may have ended before the watch has run.

        The health stream is then opened again, which opens the connection.
        """
        if self.state is _READY and not is_ready(self._native):
            self._was_lost = True
            self._become(_CONNECTING)
            if self._stream is not None:
                self._stream.cancel()
        return self.state is _READY

    def multicallable(self, method: Method, serializer: Any, deserializer: Any) -> Any:
        """Return the instance's own multicallable of a method; it is made once."""
        key = (method, serializer, deserializer)
        made = self._multicallables.get(key)
        if made is None:
            factory: Any = getattr(self._native, method.kind.value)
            made = factory(
                method.path, serializer, deserializer, _registered_method=method.registered
            )
            self._multicallables[key] = made
        return made

    def close(self) -> None:
        """Close the connection and cancel the calls in flight."""
        self._over.set()
        if self._stream is not None:
            self._stream.cancel()
        self._native.close()

    def _watch(self) -> None:
        watch: Any = self._native.unary_stream(health.WATCH_PATH)
        delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, self._rng)
        while not self._over.is_set():
            try:
                # After a failure C-core's own backoff decides when to connect again.
                failed = self.state is _FAILED
                self._stream = watch(health.WHOLE_SERVER, wait_for_ready=failed)
                for response in self._stream:
                    self._health_changed(health.parse(response))
                    delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, self._rng)
                self._broke(grpc.StatusCode.OK)
            except grpc.RpcError as error:
                ended: Any = error
                if self._over.is_set():
                    return
                self._broke(ended.code())
                if ended.code() is grpc.StatusCode.UNIMPLEMENTED:
                    self._watch_connection()
            except ValueError:
                return  # the channel was closed
            self._over.wait(next(delays_s))

    def _health_changed(self, health: Health) -> None:
        self._health = health
        self._become(_READY if health is Health.SERVING else _FAILED)

    def _broke(self, code: grpc.StatusCode) -> None:
        """Handle the end of the health stream.

        UNAVAILABLE means that the connection ended. From READY this leads to CONNECTING, which is
        a failure only if the next stream can't be opened.
        """
        was_lost, self._was_lost = self._was_lost, False
        if code is grpc.StatusCode.UNIMPLEMENTED:
            self._health = Health.SERVING
            self._become(_READY)
        elif was_lost:
            self._become(_CONNECTING)
        elif code is grpc.StatusCode.UNAVAILABLE:
            self._become(_CONNECTING if self.state is _READY else _FAILED)
        elif self.state is _CONNECTING:
            self._become(_FAILED)

    def _watch_connection(self) -> None:
        """Watch the connection of a server without the health service; return when it ends.

        This thread polls, because grpc's `subscribe` leaves a thread behind that fails on close.
        """
        while not self._over.wait(_ASK_CONNECTION_EVERY_S):
            if not is_ready(self._native):
                self._become(_CONNECTING)
                return

    def _become(self, state: grpc.ChannelConnectivity) -> None:
        if state is not self.state and not self._over.is_set():
            self.state = state
            self._changed()
