"""What goes wrong in a test: answers that get lost, refusals, and the death of the process.

Participants and the database pass named points; a test can have the process die at any of them.
"""

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

import grpc

from services.chassis.server.error_rules import ErrorRule
from services.chassis.server.rich_status import to_status, to_trailers
from services.chassis.store.database import Database


class LostAnswer(Enum):
    """An answer that never came: the call had no effect, or it had."""

    BEFORE = "before the effect"
    AFTER = "after the effect"


@dataclass(frozen=True)
class RefusedCall:
    """An error that one of our servers raises, without an effect."""

    code: grpc.StatusCode
    reason: str


@dataclass(frozen=True)
class ForeignError:
    """An error without our ErrorInfo, without an effect: a proxy's, or gRPC's own."""

    code: grpc.StatusCode


class PendingAnswer(Enum):
    """The participant answers OK, but that it doesn't know yet; the effect comes about."""

    PENDING = "pending"


Fault = LostAnswer | RefusedCall | ForeignError | PendingAnswer


class ProcessDiedError(Exception):
    """The process died here."""


@dataclass
class FailureScript:
    """Faults by method, in the order of its calls; `dies_at` is the number of a point, from 1."""

    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    during: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    dies_at: int | None = None
    points: list[str] = field(default_factory=list)

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of a method go wrong like this."""
        self.faults[method].extend(faults)

    def next_fault(self, method: str) -> Fault | None:
        """What goes wrong with this call."""
        waiting = self.faults[method]
        return waiting.popleft() if waiting else self.always.get(method)

    def reach(self, point: str) -> None:
        """Pass a point, unless the process dies there."""
        self.points.append(point)
        if len(self.points) == self.dies_at:
            raise ProcessDiedError(point)

    async def meanwhile(self, method: str) -> None:
        """What somebody else does while the next call of a method is on its way back."""
        happens = self.during.pop(method, None)
        if happens is not None:
            await happens()


class _RaisedError(Exception):
    """Stands for whatever the server raised."""


def rpc_error(code: grpc.StatusCode, *, reason: str = "", domain: str = "") -> grpc.aio.AioRpcError:
    """What a stub raises; without a reason it carries no details of ours."""
    trailers: list[tuple[str, Any]] = []
    if reason:
        rule = ErrorRule(code, reason)
        error = _RaisedError("refused")
        trailers = to_trailers(to_status(error, {_RaisedError: rule}, domain), rule)
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details="scripted"
    )


class CrashingDatabase:
    """A database whose process can die before or after each COMMIT."""

    def __init__(self, database: Database, script: FailureScript) -> None:
        self._database = database
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Write between two points."""
        name = getattr(function, "__name__", "write")
        self._script.reach(f"before {name}")
        result = await self._database.write(function, *args, **kwargs)
        self._script.reach(f"after {name}")
        return result


def crashing(database: Database, script: FailureScript) -> Database:
    """The same database, mortal."""
    return cast(Database, CrashingDatabase(database, script))
