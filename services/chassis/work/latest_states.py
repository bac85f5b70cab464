"""What this process itself wrote about things that somebody here waits for.

A waiter that is woken by the log would read the thing again; mostly it is the process's own
driver that moved it, and then its newest state is at hand. Nothing here decides anything: what
isn't at hand, or is too old, is read.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class VersionedState(Protocol):
    """A state with its place in its stream."""

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=VersionedState)


class LatestStates(Generic[V]):
    """The newest known state of each awaited subject, by its id; for one event loop."""

    def __init__(self) -> None:
        self._waiters: Counter[str] = Counter()
        self._newest: dict[str, V] = {}

    @contextmanager
    def awaiting(self, subject: str) -> Iterator[None]:
        """Keep what is told about one subject for the time of the block."""
        self._waiters[subject] += 1
        try:
            yield
        finally:
            self._waiters[subject] -= 1
            if not self._waiters[subject]:
                del self._waiters[subject]
                self._newest.pop(subject, None)

    def tell(self, subject: str, state: V) -> None:
        """The subject was committed in this state."""
        if subject in self._waiters:
            known = self._newest.get(subject)
            if known is None or known.version < state.version:
                self._newest[subject] = state

    def newest(self, subject: str, *, version: int) -> V | None:
        """The state at `version` or later; None where it isn't known here."""
        known = self._newest.get(subject)
        return known if known is not None and known.version >= version else None
