"""A function that one caller has queued for a database thread, and its result."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from services.chassis.store.unit.change import Change, collect
from services.chassis.store.unit.needs import Need


@dataclass(slots=True, eq=False)
class Job:
    """A function to run on a connection, and its outcome.

    The database thread calls `run`, the event loop calls `settle`. `future` belongs to the loop;
    the thread only reads whether it is done. `expires_at` is a monotonic instant, after which a
    job that has not started fails. `batch_size` is the number of writes in its transaction, known
    once that has ended. `needs` are the keys that a write will read.

    The rest is for reads. `cancel` ends the running statement, and is set while the function runs.
    `first_look_s` is the monotonic instant of the first check whether the read takes too long, and
    `timed_out` its result. `abandoned` is set when the caller has left.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    context: Context
    future: asyncio.Future[Any]
    expires_at: float
    then: Callable[[Any], None] | None = None
    snapshot: bool = True
    needs: tuple[Need, ...] = ()
    taken: bool = False
    ran_in: Context | None = None
    abandoned: bool = False
    timed_out: bool = False
    first_look_s: float | None = None
    cancel: Callable[[], None] | None = None
    result: Any = None
    error: BaseException | None = None
    changes: list[Change] = field(default_factory=list)
    batch_size: int = 0

    def run(self, connection: Connection) -> None:
        """Run the function in its caller's context, and keep its result or exception.

        A write runs again if its batch has to begin again.
        """
        self.result = self.error = None
        self.changes.clear()
        collect(connection, self.changes)
        try:
            # A second run must not begin with the context of the first.
            self.ran_in = self.context.copy()
            self.result = self.ran_in.run(self.function, connection, *self.args)
        except StopIteration as error:
            # A future does not accept StopIteration; coroutines convert it likewise (PEP 479).
            self.error = RuntimeError("the function raised StopIteration")
            self.error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller
            self.error = error

    def settle(self) -> None:
        """Resolve the future; `then` is called before the caller resumes."""
        if self.error is None and self.then is not None:
            self.future.get_loop().call_soon(self.then, self.result, context=self.ran_in)
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
