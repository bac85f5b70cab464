"""Scripted failures: lost answers, refusals, and the death of the process.

Participants and the database pass named points; a test can let the process die at any of them.
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
    """An answer that never arrives; the call had its effect or not."""

    BEFORE = "before the effect"
    AFTER = "after the effect"


@dataclass(frozen=True)
class RefusedCall:
    """An error that one of our servers raises, without an effect."""

    code: grpc.StatusCode
    reason: str


@dataclass(frozen=True)
class ForeignError:
    """An error without our ErrorInfo and without an effect, as gRPC or a proxy sends it."""

    code: grpc.StatusCode


class PendingAnswer(Enum):
    """An OK answer that the outcome is not known yet; the call has its effect."""

    PENDING = "pending"


class NewerAnswer(Enum):
    """An OK answer in a state that only a newer contract has; the call has its effect."""

    STATE = "newer state"


Fault = LostAnswer | RefusedCall | ForeignError | PendingAnswer | NewerAnswer


class ProcessDiedError(Exception):
    """The process died at this point."""


@dataclass
class FailureScript:
    """The faults of each method, in the order of its calls; the process dies at point `dies_at`."""

    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    during: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    dies_at: int | None = None
    points: list[str] = field(default_factory=list)
    on_commit: Callable[[], Awaitable[None]] | None = None

    def fail(self, method: str, *faults: Fault) -> None:
        """Set the faults of the next calls of a method."""
        self.faults[method].extend(faults)

    def next_fault(self, method: str) -> Fault | None:
        """Return the fault of this call."""
        waiting = self.faults[method]
        return waiting.popleft() if waiting else self.always.get(method)

    def reach(self, point: str) -> None:
        """Pass a point, or die there."""
        self.points.append(point)
        if len(self.points) == self.dies_at:
            raise ProcessDiedError(point)

    async def committed(self) -> None:
        """Run what happens after a COMMIT of any service."""
        if self.on_commit is not None:
            await self.on_commit()

    async def meanwhile(self, method: str) -> None:
        """Run what happens during the next call of a method."""
        happens = self.during.pop(method, None)
        if happens is not None:
            await happens()


class _RaisedError(Exception):
    """Any exception that the server raised."""


def rpc_error(code: grpc.StatusCode, *, reason: str = "", domain: str = "") -> grpc.aio.AioRpcError:
    """Make the error that a stub raises; without a reason it has no ErrorInfo."""
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
        await self._script.committed()
        return result


def crashing(database: Database, script: FailureScript) -> Database:
    """Wrap a database so that its process can die."""
    return cast(Database, CrashingDatabase(database, script))
