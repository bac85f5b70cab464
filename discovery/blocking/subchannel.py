"""One connection to one instance, watched by a thread for its health."""

import random
import threading
from collections.abc import Callable
from typing import Any

import grpc

from discovery.balancing import health
from discovery.balancing.health import Health
from discovery.balancing.instance_stats import InstanceStats
from discovery.blocking.native import connection_state, in_callback, is_ready
from discovery.registry.instance import Instance
from discovery.rules.backoff import jittered
from discovery.rules.method import Method
from discovery.tls import failures

_READY = grpc.ChannelConnectivity.READY
_CONNECTING = grpc.ChannelConnectivity.CONNECTING
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE

# Between these two, a connection that failed counts as failed until it is READY (gRFC A62).
_SETTLED = frozenset({_READY, _FAILED})

_AGAIN_FIRST_S = 0.1
_AGAIN_CEILING_S = 5.0
_ASK_CONNECTION_EVERY_S = 0.2
_MOST_MULTICALLABLES = 1000
_ASK_CONNECTING_EVERY_S = 0.01
_CAUSE_WITHIN_S = 1.0


class Subchannel:
    """A plain channel to an instance. `state` is READY when the instance can be picked.

    The health stream also watches the connection: it opens the connection and ends with it. The
    state is READY from the first answer on that isn't NOT_SERVING; CONNECTING while a stream that
    had an answer is opened again; TRANSIENT_FAILURE when it can't be opened, or says NOT_SERVING. A
    stream that breaks for a reason other than the connection leaves the state unchanged. Without a
    `health_request` only the connection is watched. `changed` is called from the watching thread,
    without a lock held.
    """

    def __init__(
        self,
        instance: Instance,
        native: grpc.Channel,
        record: InstanceStats,
        *,
        rng: random.Random,
        changed: Callable[[], None],
        health_request: bytes | None = health.WHOLE_SERVER,
    ) -> None:
        self.instance = instance
        self.record = record
        self.load = record.load
        # Attempts in flight on this connection; the load also has those on one that it replaced.
        self.calls = 0
        self.state = _CONNECTING
        self._native = native
        self._rng = rng
        self._changed = changed
        self._multicallables: dict[tuple[Any, ...], Any] = {}
        self._over = threading.Event()
        self._stream: Any = None
        self._health_request = health_request
        self._health = Health.UNKNOWN
        self._cause = ""
        self._answer_timer: threading.Timer | None = None
        # `is_still_ready` found the connection ended before the watching thread did.
        self._was_lost = False
        # The watching thread closes the connection when it ends.
        name = f"discovery-health-{instance.endpoint}"
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    @property
    def health(self) -> Health:
        """The instance's last answer of its health service."""
        return self._health

    @property
    def cause(self) -> str:
        """Why the instance can't be picked, in gRPC's words where there are any; else empty."""
        if self.state is _READY:
            return ""
        return health.CAUSES.get(self._health, self._cause)

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
            if len(self._multicallables) >= _MOST_MULTICALLABLES:
                # A program that makes a codec for each call would fill the memory.
                self._multicallables.clear()
            self._multicallables[key] = made
        return made

    def retire(self) -> None:
        """Have the watching thread close the connection, which cancels the calls in flight.

        It never waits, so any thread may call it. grpc's own `close` waits for the thread that
        reports the ends of calls, so a callback of a call, which runs in that thread, would hang.
        """
        self._over.set()
        timer = self._answer_timer
        if timer is not None:
            timer.cancel()
        if self._stream is not None:
            self._stream.cancel()

    def close(self) -> None:
        """Close the connection now; leave it to the watching thread if called in a callback."""
        self.retire()
        if not in_callback():
            self._native.close()

    def _watch(self) -> None:
        try:
            if self._health_request is None:
                self._follow_connection()
            else:
                self._watch_health(self._health_request)
        except ValueError:
            pass  # the channel was closed
        finally:
            self._native.close()

    def _watch_health(self, request: bytes) -> None:
        watch: Any = self._native.unary_stream(health.WATCH_PATH)
        delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, self._rng)
        while not self._over.is_set():
            code = grpc.StatusCode.OK
            try:
                # After a failure C-core's own backoff decides when to connect again.
                self._stream = watch(request, wait_for_ready=self.state is _FAILED)
                if self._over.is_set():
                    # `retire` may have cancelled the stream before this one.
                    return
                self._expect_answer()
                for response in self._stream:
                    self._health_changed(health.parse(response, request))
                    if self._health is not Health.UNREPORTED:
                        delays_s = jittered(_AGAIN_FIRST_S, _AGAIN_CEILING_S, self._rng)
            except grpc.RpcError as error:
                ended: Any = error
                code = ended.code()
                if code is grpc.StatusCode.UNAVAILABLE:
                    self._cause = failures.in_words(ended.details() or "")
            if self._over.is_set():
                return
            self._broke(code)
            if self.state is not _READY:
                self._over.wait(next(delays_s))
            else:
                lasting = code in health.LASTING_REFUSALS
                self._watch_connection(None if lasting else next(delays_s))

    def _expect_answer(self) -> None:
        """While there is no answer, look every 5 s whether the server is connected and silent."""
        if self._answer_timer is None and self._health is Health.UNKNOWN:
            self._look_later(connected=False)

    def _look_later(self, *, connected: bool) -> None:
        timer = threading.Timer(health.FIRST_ANSWER_S, self._look, (connected,))
        timer.daemon = True
        self._answer_timer = timer
        timer.start()

    def _look(self, connected: bool) -> None:  # noqa: FBT001 - a timer passes no keywords
        """Use a server that was connected 5 s ago and is, and hasn't answered the watch at all."""
        self._answer_timer = None
        if self._over.is_set() or self._health is not Health.UNKNOWN:
            return
        if not is_ready(self._native):
            self._look_later(connected=False)
        elif connected:
            self._health_changed(Health.UNREPORTED)
        else:
            self._look_later(connected=True)

    def _health_changed(self, status: Health) -> None:
        self._health = status
        self._become(_READY if status in health.USABLE else _FAILED)

    def _broke(self, code: grpc.StatusCode) -> None:
        """Handle the end of the health stream.

        UNAVAILABLE usually means that the connection ended. From READY this leads to CONNECTING,
        which is a failure only if the next stream can't be opened.
        """
        was_lost, self._was_lost = self._was_lost, False
        if code is grpc.StatusCode.UNAVAILABLE and not was_lost:
            was_lost = self._health is Health.SERVING or not is_ready(self._native)
            if was_lost and self.state is not _READY:
                self._health = Health.UNKNOWN
                self._become(_FAILED)
                return
        if was_lost:
            self._health = Health.UNKNOWN
            self._become(_CONNECTING)
        else:
            self._health_changed(health.after_end(code, self._health))

    def _watch_connection(self, limit_s: float | None) -> None:
        """Watch the connection of a server whose health isn't; return when it ends, or in time.

        This thread polls, because grpc's `subscribe` leaves a thread behind that fails on close.
        """
        waited_s = 0.0
        while limit_s is None or waited_s < limit_s:
            if self._over.wait(_ASK_CONNECTION_EVERY_S):
                return
            waited_s += _ASK_CONNECTION_EVERY_S
            if not is_ready(self._native):
                self._health = Health.UNKNOWN
                self._become(_CONNECTING)
                return

    def _follow_connection(self) -> None:
        """Keep the connection open and follow its state alone, until the channel is closed."""
        while not self._over.is_set():
            seen = connection_state(self._native)
            self._health = Health.UNREPORTED
            if seen is _FAILED and self.state is not _FAILED:
                self._cause = self._why_failed()
            if seen in _SETTLED:
                self._become(seen)
            elif self.state is _READY:
                self._become(_CONNECTING)
            settled = seen in _SETTLED
            self._over.wait(_ASK_CONNECTION_EVERY_S if settled else _ASK_CONNECTING_EVERY_S)

    def _why_failed(self) -> str:
        """Why there is no connection: gRPC reports it only to a call, which fails at once."""
        probe: Any = self._native.unary_stream(health.WATCH_PATH)
        try:
            next(probe(health.WHOLE_SERVER, timeout=_CAUSE_WITHIN_S))
        except grpc.RpcError as error:
            failed: Any = error
            return failures.in_words(failed.details() or "")
        except StopIteration:
            pass
        return ""

    def _become(self, state: grpc.ChannelConnectivity) -> None:
        if state is not self.state and not self._over.is_set():
            self.state = state
            self._changed()
