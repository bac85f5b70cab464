"""A lock between processes on one file; the kernel releases it when its holder dies.

flock wakes the next waiter at once. SQLite's own busy timeout polls instead: next to another busy
writer it made a writer wait for 1.6 to 2.4 s, where flock took 0.1 s.
"""

import fcntl
import os
import weakref
from pathlib import Path


class FileLock:
    """An exclusive lock on one file, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept open between turns: opening and closing cost more than the lock.
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Wait without a time limit for the lock. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._descriptor)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
