"""A few threads that read; every read sees one instant of the database and cannot write."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection

from services.chassis.dialect import Dialect
from services.chassis.store_errors import StoreOverloadedError, StoreUnavailableError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Readers:
    """Owns the reader threads and at most as many connections."""

    def __init__(self, dialect: Dialect, *, name: str, threads: int, waiting_max: int) -> None:
        self._dialect = dialect
        self._waiting_max = waiting_max
        self._waiting = 0
        self._idle: deque[Connection] = deque()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def read(self, function: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run `function` on a reader thread, in a copy of the caller's context.

        Raises what the function raises, StoreUnavailableError, StoreOverloadedError.
        """
        if self._waiting >= self._waiting_max:
            raise StoreOverloadedError(f"{self._waiting_max} reads wait for the database")
        context = copy_context()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, lambda: context.run(self._read, function, args)
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for running reads, then close the connections. Blocks; not for the event loop."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        while self._idle:
            self._dialect.close(self._idle.pop())

    def _read(self, function: Callable[[Connection, *Ts], T], args: tuple[*Ts]) -> T:
        try:
            with self._snapshot() as connection:
                return function(connection, *args)
        except Exception as error:
            if self._dialect.is_store_failure(error):
                raise StoreUnavailableError("the store did not answer") from error
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        connection = self._idle.pop() if self._idle else self._dialect.open_reader()
        reusable = False
        try:
            self._dialect.begin_snapshot(connection)
            try:
                yield connection
            finally:
                if self._dialect.is_open(connection):
                    self._dialect.rollback(connection)
                    reusable = True
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                self._dialect.close(connection)
