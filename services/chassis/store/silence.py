"""Notices that the database does not answer, breaks the connections that wait, and reports it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from discovery.clock import Clock
from services.chassis.store.errors import HistoryLostError

if TYPE_CHECKING:
    # Settings read the limit below, also those of programs without a database.
    from services.chassis.store.dialect import Dialect

# How long a statement may take, unless DATABASE_TIMEOUT_S says otherwise.
ANSWER_TIMEOUT_S = 10.0
# Statements of a migration or a rebuild go through whole tables.
LONG_STATEMENTS_FACTOR = 60
_LOOKS = 10

_LOG = structlog.get_logger(__name__)


class SilenceWatch:
    """Breaks connections whose statement is unanswered for `timeout_s`; for one event loop.

    The store is silent from then until a statement is answered.
    """

    def __init__(self, dialect: "Dialect", *, clock: Clock, timeout_s: float) -> None:
        self._dialect = dialect
        self.clock = clock
        self._timeout_s = timeout_s
        self._factor = 1
        self._is_silent = False
        self._callbacks: list[Callable[[bool], None]] = []

    @property
    def limit_s(self) -> float:
        """How long a statement may take at the moment; any thread may ask."""
        return self._timeout_s * self._factor

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Call `callback` with whether the store is silent, at each change."""
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Look at the connections until cancelled."""
        while True:
            await self.clock.sleep(self._timeout_s / _LOOKS)
            limit_s = self.limit_s
            if self._dialect.cut_silent(self.clock.monotonic(), limit_s) and not self._is_silent:
                _LOG.error(
                    "store_silent",
                    timeout_s=limit_s,
                    setting="DATABASE_TIMEOUT_S",
                    effect="its connections are replaced",
                )
                self._become(is_silent=True)

    def answered(self) -> None:
        """Record that a statement was answered."""
        if self._is_silent:
            _LOG.info("store_answers")
            self._become(is_silent=False)

    def lost(self, error: HistoryLostError) -> None:
        """Record that the store has lost committed events, and so answers nothing any more."""
        if not self._is_silent:
            _LOG.error("store_lost_events", cause=str(error))
            self._become(is_silent=True)

    @contextmanager
    def long_statements(self) -> Iterator[None]:
        """Allow statements to take longer while the block runs."""
        self._factor = LONG_STATEMENTS_FACTOR
        try:
            yield
        finally:
            self._factor = 1

    def _become(self, *, is_silent: bool) -> None:
        if is_silent != self._is_silent:
            self._is_silent = is_silent
            for callback in self._callbacks:
                callback(is_silent)
