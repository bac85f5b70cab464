"""Tells a channel's subscribers of its state."""

import threading
from collections.abc import Callable

import grpc

Callback = Callable[[grpc.ChannelConnectivity], None]


class Subscriptions:
    """Callbacks, and one thread that calls them: at once, and then after each change.

    `changed` guards the state and is notified of its changes; the thread ends with SHUTDOWN.
    """

    def __init__(
        self, changed: threading.Condition, state: Callable[[], grpc.ChannelConnectivity]
    ) -> None:
        self._changed = changed
        self._state = state
        self._seen: dict[Callback, grpc.ChannelConnectivity | None] = {}
        self._thread: threading.Thread | None = None

    def add(self, callback: Callback) -> None:
        """Tell the callback the state, now and when it changes."""
        with self._changed:
            self._seen[callback] = None
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._deliver, name="discovery-connectivity", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def remove(self, callback: Callback) -> None:
        """Tell it no more; an unknown one is no error."""
        with self._changed:
            self._seen.pop(callback, None)

    def _deliver(self) -> None:
        state = None
        while state is not grpc.ChannelConnectivity.SHUTDOWN:
            with self._changed:
                self._changed.wait_for(self._is_news)
                state = self._state()
                told = [callback for callback, seen in self._seen.items() if seen is not state]
                self._seen.update(dict.fromkeys(told, state))
            for callback in told:
                callback(state)

    def _is_news(self) -> bool:
        state = self._state()
        over = state is grpc.ChannelConnectivity.SHUTDOWN
        return over or any(seen is not state for seen in self._seen.values())
