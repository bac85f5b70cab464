"""The changes that a write appended to the event log, reported in this process after its COMMIT."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection

# Called on the event loop after the COMMIT, for example to wake who continues the work.
AfterCommit: TypeAlias = Callable[[], None]

_KEY = "tradepost_changes"


@dataclass(frozen=True, slots=True)
class Change:
    """An event that was appended to the log, without its payload."""

    position: int
    stream: str
    version: int
    type: str
    topic: str = ""
    event_id: str = field(default="", compare=False)


def collect(connection: Connection, into: list[Change]) -> None:
    """Add to `into` every change that is announced on `connection` from now on."""
    connection.info[_KEY] = into


def announce(connection: Connection, changes: Iterable[Change]) -> None:
    """Report `changes` after the COMMIT of the running write; not at all if the write fails."""
    collected = connection.info.get(_KEY)
    if collected is not None:
        collected.extend(changes)
