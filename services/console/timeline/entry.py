"""An entry of a timeline, and the sources that entries come from."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from services.console.wire.facts import Fact


class Source(IntEnum):
    """Where an entry comes from. Entries of one instant are listed in this order."""

    CALL = 1
    EVENT = 2
    STEP = 3
    MONEY = 4
    STOCK = 5
    MAIL = 6

    @property
    def word(self) -> str:
        """What the page calls it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to an order.

    `version` is the order's version that an event made. `place` sorts entries of one source that
    happened at the same instant. `actor`, `instance` and `trace_id` are "" where nobody knows them.
    `troubled`: an operator should see it at a glance.
    """

    time: datetime
    source: Source
    title: str
    facts: tuple[Fact, ...] = ()
    actor: str = ""
    instance: str = ""
    trace_id: str = ""
    version: int = 0
    place: int = 0
    troubled: bool = False
