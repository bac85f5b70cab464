"""Lets a call that only waits give back its slot among the calls at work.

    with slot_released():
        change = await follower.wait(...)

The server's admission layer binds the slot of each call that it admits.
"""

from contextvars import ContextVar
from types import TracebackType
from typing import Protocol


class Slot(Protocol):
    """What an admitted call holds."""

    def step_aside(self) -> None:
        """Give the slot back for now. Raises OverloadedError when too many calls wait."""
        ...

    def step_back(self) -> None:
        """Take the slot again; this is never refused."""
        ...


SLOT: ContextVar[Slot | None] = ContextVar("tradepost_slot", default=None)


class _SlotReleased:
    __slots__ = ("_slot",)

    def __init__(self, slot: Slot | None) -> None:
        self._slot = slot

    def __enter__(self) -> None:
        if self._slot is not None:
            self._slot.step_aside()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._slot is not None:
            self._slot.step_back()


def slot_released() -> _SlotReleased:
    """Give this call's slot back while a `with` block waits, and take it again afterwards.

    Outside a call it does nothing. Entering raises OverloadedError when too many calls wait
    already, unless the call's method is known to wait: such a call was counted on admission.
    """
    return _SlotReleased(SLOT.get())
