"""The newest snapshot, and waking who waits for the next one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.edge.control_plane.snapshot import Snapshot


class State:
    """Keeps the newest snapshot; None until the first one is published."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._wakes: set[asyncio.Event] = set()

    @property
    def current(self) -> Snapshot | None:
        return self._snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Make the snapshot the newest one and wake everybody who follows."""
        self._snapshot = snapshot
        for wake in self._wakes:
            wake.set()

    @contextmanager
    def waking(self, wake: asyncio.Event) -> Iterator[None]:
        """Set `wake` after each publication, until the block ends."""
        self._wakes.add(wake)
        try:
            yield
        finally:
            self._wakes.discard(wake)
