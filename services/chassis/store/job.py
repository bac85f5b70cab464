"""One caller's function on its way to a database thread and back to the event loop."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from services.chassis.store.change import Change, collect


@dataclass(slots=True, eq=False)
class Job:
    """A function for a connection, and what became of it.

    The thread calls `run`, the event loop `settle`. `future` belongs to the loop; the thread
    only looks whether it is done. `expires_at` is a monotonic instant: who has not had their
    turn by then gives up. `batch_size` is known once it has committed: with how many. A read may
    do without the `snapshot`.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    context: Context
    future: asyncio.Future[Any]
    expires_at: float
    then: Callable[[Any], None] | None = None
    snapshot: bool = True
    taken: bool = False
    result: Any = None
    error: BaseException | None = None
    changes: list[Change] = field(default_factory=list)
    batch_size: int = 0

    def run(self, connection: Connection) -> None:
        """Run the function in its caller's context; keep what it answers or raises."""
        collect(connection, self.changes)
        try:
            self.result = self.context.run(self.function, connection, *self.args)
        except StopIteration as error:
            # A future refuses it; a coroutine answers the same (PEP 479).
            self.error = RuntimeError("the function raised StopIteration")
            self.error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - it is its caller's, and is raised there
            self.error = error

    def settle(self) -> None:
        """Answer the caller; what is to be done `then` is done before it resumes."""
        if self.error is None and self.then is not None:
            self.future.get_loop().call_soon(self.then, self.result, context=self.context)
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
