"""Calls a channel's subscribers when its state changes."""

import logging
import threading
from collections.abc import Callable

import grpc

logger = logging.getLogger(__name__)

# Whoever holds the lock gives it back in much less.
_LOCK_WITHIN_S = 1.0

Callback = Callable[[grpc.ChannelConnectivity], None]


class Subscriptions:
    """Callbacks, and one thread that calls them: at once, and then after each change.

    `changed` guards the state and is notified when it changes. The thread ends at SHUTDOWN.
    """

    def __init__(
        self, changed: threading.Condition, state: Callable[[], grpc.ChannelConnectivity]
    ) -> None:
        self._changed = changed
        self._state = state
        self._seen: dict[Callback, grpc.ChannelConnectivity | None] = {}
        # The states at the time of `add`: a channel may leave IDLE before the thread runs.
        self._first: list[tuple[Callback, grpc.ChannelConnectivity]] = []
        self._thread: threading.Thread | None = None

    def add(self, callback: Callback) -> None:
        """Call back with the state, now and after each change."""
        with self._changed:
            state = self._seen[callback] = self._state()
            self._first.append((callback, state))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._deliver, name="discovery-connectivity", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def remove(self, callback: Callback) -> None:
        """Stop calling back; an unknown callback is no error."""
        with self._changed:
            self._seen.pop(callback, None)
            self._first = [pair for pair in self._first if pair[0] != callback]

    def wake(self) -> None:
        """Let the thread look whether the channel still exists.

        It doesn't wait for the lock for ever: when a program exits, its daemon threads stop where
        they are, and one of them may hold the lock.
        """
        if self._thread is not None and self._changed.acquire(timeout=_LOCK_WITHIN_S):
            self._changed.notify_all()
            self._changed.release()

    def _deliver(self) -> None:
        state = None
        while state is not grpc.ChannelConnectivity.SHUTDOWN:
            with self._changed:
                self._changed.wait_for(self._has_changed)
                state = self._state()
                changed = [callback for callback, seen in self._seen.items() if seen is not state]
                self._seen.update(dict.fromkeys(changed, state))
                first, self._first = self._first, []
            for callback, due in [*first, *((callback, state) for callback in changed)]:
                try:
                    callback(due)
                except Exception:
                    # As grpc does: the others are called all the same, and this one next time.
                    logger.exception("a callback of a channel's state raised")

    def _has_changed(self) -> bool:
        state = self._state()
        over = state is grpc.ChannelConnectivity.SHUTDOWN
        return over or bool(self._first) or any(seen is not state for seen in self._seen.values())
