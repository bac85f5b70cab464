"""What a committed write appended to the log, told to whoever waits in the same process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

# Called on the event loop after the COMMIT, for example to wake who continues the work.
AfterCommit: TypeAlias = Callable[[], None]

_KEY = "tradepost_changes"


@dataclass(frozen=True, slots=True)
class Change:
    """An event that was appended, without its payload."""

    position: int
    stream: str
    version: int
    type: str
    topic: str = ""


def collect(connection: Connection, into: list[Change]) -> None:
    """Let what is announced on `connection` from now on be added to `into`."""
    connection.info[_KEY] = into


def announce(connection: Connection, changes: Iterable[Change]) -> None:
    """Have `changes` told after the COMMIT of the running write; never, if it fails."""
    collected = connection.info.get(_KEY)
    if collected is not None:
        collected.extend(changes)
