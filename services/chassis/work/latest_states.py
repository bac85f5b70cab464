"""The latest states that this process committed of subjects that its callers wait for.

A caller that is woken by the log would read the subject's state from the database. Usually it was
this process's own driver that changed it; then the state is here, and the read is saved. This is
only a cache: if a state is missing or too old, the caller reads it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class VersionedState(Protocol):
    """A state with the version of its stream."""

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=VersionedState)


class LatestStates(Generic[V]):
    """The latest known state of each awaited subject, by its id; for one event loop."""

    def __init__(self) -> None:
        self._waiters: Counter[str] = Counter()
        self._newest: dict[str, V] = {}

    @contextmanager
    def awaiting(self, subject: str) -> Iterator[None]:
        """Keep recorded states of `subject` while the block runs."""
        self._waiters[subject] += 1
        try:
            yield
        finally:
            self._waiters[subject] -= 1
            if not self._waiters[subject]:
                del self._waiters[subject]
                self._newest.pop(subject, None)

    def record(self, subject: str, state: V) -> None:
        """Record a state that was committed; ignored if no block awaits the subject."""
        if subject in self._waiters:
            known = self._newest.get(subject)
            if known is None or known.version < state.version:
                self._newest[subject] = state

    def newest(self, subject: str, *, version: int) -> V | None:
        """The latest state if it has `version` or a later one; None if it is not known."""
        known = self._newest.get(subject)
        return known if known is not None and known.version >= version else None
