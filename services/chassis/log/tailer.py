"""Follows the event log and wakes tasks that wait for events, whichever instance wrote them.

Commits of this process are reported at once, without a read; those of other processes are found by
polling. A woken task reads what it needs itself: a `Change` only says that there is something new.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.log.alarm import Alarm, resolve
from services.chassis.log.event_log import EventLog
from services.chassis.log.known_history import KnownHistory
from services.chassis.log.poll_pace import PollPace
from services.chassis.log.watch import ChangeFilter, Watch
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.store.unit.change import Change

_READ_MAX = 1000

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

__all__ = ["Change", "Follower", "Tailer"]

_LOG = structlog.get_logger(__name__)


class Tailer:
    """Follows the log of one database. All methods are for the event loop that runs `run`."""

    def __init__(
        self, *, database: Database, log: EventLog, clock: Clock, poll_s: float = 0.025
    ) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        # Resolved by the first task that waits, while none does.
        self._first_waiter: asyncio.Future[None] | None = None
        self._position = 0
        # The newest change of another process for which somebody waited.
        self._awaited = 0
        self._followers: dict[str, set[Follower]] = {}
        self._position_waiters: set[_PositionWaiter] = set()
        self._watches: set[Watch] = set()
        self._closed = False
        self._history = KnownHistory(database)
        self._alarm = Alarm(clock)
        database.on_changes(self._appended)

    @property
    def position(self) -> int:
        """The position up to which changes were reported."""
        return self._position

    @property
    def closed(self) -> bool:
        """Whether waiting has ended because the process drains."""
        return self._closed

    @property
    def followed(self) -> int:
        """The number of streams that have followers."""
        return len(self._followers)

    async def run(self) -> None:
        """Follow the log until cancelled by the owner's TaskGroup."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            await self._start()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._catch_up()
                self._looked.set()

    @contextmanager
    def follow(self, stream: str, *, types: Collection[str] = ()) -> Iterator["Follower"]:
        """Register for the changes of `stream`. Read the stream afterwards, so that none is missed.

        With `types`, only changes of these types wake the follower.
        """
        follower = Follower(self, stream, types)
        self._followers.setdefault(stream, set()).add(follower)
        self._begin_to_wait()
        try:
            yield follower
        finally:
            of_stream = self._followers[stream]
            of_stream.discard(follower)
            if not of_stream:
                del self._followers[stream]

    @contextmanager
    def watch(self, matches: ChangeFilter, *, is_patient: bool = False) -> Iterator[Watch]:
        """Register for changes of any stream. Read the log afterwards, so that none is missed.

        Changes for a patient watch do not make the log be polled more often.
        """
        watch = Watch(matches, is_patient=is_patient)
        self._watches.add(watch)
        self._begin_to_wait()
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def wait_matching(
        self, watch: Watch, *, after_position: int, timeout_s: float | None = None
    ) -> None:
        """Wait until there may be a matching change after a position, at most `timeout_s` seconds.

        None is no limit. Returns at once after `stop_waiters`.
        """
        if not self._closed and not watch.is_due(after_position):
            await self.wait_for(watch.begin(), timeout_s)

    async def wait_position(self, position: int, timeout_s: float | None = None) -> bool:
        """Whether the log reached `position` within `timeout_s` seconds (None: no limit).

        Returns at once after `stop_waiters`.
        """
        if self._position < position and not self._closed:
            waiter = _PositionWaiter(position, asyncio.get_running_loop().create_future())
            self._position_waiters.add(waiter)
            self._begin_to_wait()
            self._wake.set()
            try:
                await self.wait_for(waiter.woken, timeout_s)
            finally:
                self._position_waiters.discard(waiter)
        return self._position >= position

    def stop_waiters(self) -> None:
        """Let every wait, now and later, return at once: the process drains."""
        self._closed = True
        for waiter in self._position_waiters:
            resolve(waiter.woken)
        for of_stream in self._followers.values():
            for follower in of_stream:
                follower.wake()
        for watch in self._watches:
            watch.close()

    async def wait_for(self, woken: asyncio.Future[None], timeout_s: float | None) -> None:
        """Wait until `woken` is resolved; resolve it after `timeout_s` seconds (None: no limit)."""
        if timeout_s is None:
            await woken
            return
        await self._alarm.wait(woken, timeout_s)

    def _appended(self, changes: Sequence[Change]) -> None:
        """Report a commit of this process, without a read even if others wrote in between."""
        for change in changes:
            self._report(change)
        self._history.note(changes[-1].position, changes[-1].event_id)
        if changes[0].position == self._position + 1:
            self._reach(changes[-1].position)
        elif self._position_waiters:
            self._wake.set()

    async def _poll(self) -> None:
        """Wake `run` again and again, to look for commits of other processes."""
        pace = PollPace()
        while True:
            has_waiters = bool(self._followers or self._position_waiters or self._watches)
            news = self._position if self._position_waiters else self._awaited
            rest_s = pace.next_rest(news, has_waiters=has_waiters) * self._poll_s
            if has_waiters:
                await self._clock.sleep(rest_s)
            else:
                self._first_waiter = asyncio.get_running_loop().create_future()
                await self._alarm.wait(self._first_waiter, rest_s)
            # How long to rest depends on what the look finds.
            self._looked.clear()
            self._wake.set()
            await self._looked.wait()

    def _begin_to_wait(self) -> None:
        """End a long rest, because a task waits now."""
        if self._first_waiter is not None:
            resolve(self._first_waiter)

    async def _start(self) -> None:
        """Start at the head, and report what followers registered earlier may have missed."""
        while (head := await self._read(self._log.head)) is None:
            await self._clock.sleep(self._poll_s)
        for stream in tuple(self._followers):
            newest = await self._read(self._log.newest_change, stream)
            if newest is not None:
                self._report(newest)
        for watch in self._watches:
            watch.reach(head)
        self._history.note(head)
        self._reach(head)

    async def _catch_up(self) -> None:
        while changes := await self._read(self._log.changes, self._position, _READ_MAX):
            for change in changes:
                if self._report(change):
                    self._awaited = change.position
            self._history.note(changes[-1].position, changes[-1].event_id)
            self._reach(changes[-1].position)
            if len(changes) < _READ_MAX:
                return

    async def _read(self, function: Callable[[Connection, *Ts], T], *args: *Ts) -> T | None:
        """Run a read; None if the store does not answer, and then the next poll tries again."""
        try:
            return await self._database.read(function, *args, snapshot=False)
        except (StoreUnavailableError, StoreOverloadedError) as error:
            _LOG.warning("log_unreadable", error=str(error))
            return None

    def _report(self, change: Change) -> bool:
        """Tell whoever waits; whether it was new to anyone."""
        news = [each.report(change) for each in self._followers.get(change.stream, ())]
        news += [watch.report(change) for watch in self._watches]
        return any(news)

    def _reach(self, position: int) -> None:
        self._position = max(self._position, position)
        for waiter in self._position_waiters:
            if waiter.position <= self._position:
                resolve(waiter.woken)


class Follower:
    """Waits for changes of one stream, for one task at a time; made by `Tailer.follow`."""

    def __init__(self, tailer: Tailer, stream: str, types: Collection[str] = ()) -> None:
        self._tailer = tailer
        self._stream = stream
        self._types = types
        self._newest: Change | None = None
        self._after_version = 0
        self._woken: asyncio.Future[None] | None = None

    @property
    def stream(self) -> str:
        """The stream that is followed."""
        return self._stream

    @property
    def closed(self) -> bool:
        """Whether waiting has ended because the process drains."""
        return self._tailer.closed

    async def wait(self, *, after_version: int, timeout_s: float | None = None) -> Change | None:
        """Wait for a change after `after_version`, and return the newest one.

        Returns at once if one is known already. None if there was none within `timeout_s` seconds
        (None: no limit), or if the process drains (`closed`).
        """
        if self._known(after_version) is None and not self._tailer.closed:
            self._after_version = after_version
            self._woken = asyncio.get_running_loop().create_future()
            await self._tailer.wait_for(self._woken, timeout_s)
        return self._known(after_version)

    def report(self, change: Change) -> bool:
        """Take note of a change that the tailer has seen; whether it is new."""
        if self._types and change.type not in self._types:
            return False
        is_new = self._newest is None or change.version > self._newest.version
        if is_new:
            self._newest = change
        if self._known(self._after_version) is not None:
            self.wake()
        return is_new

    def wake(self) -> None:
        """Let `wait` return."""
        if self._woken is not None:
            resolve(self._woken)

    def _known(self, after_version: int) -> Change | None:
        newest = self._newest
        return newest if newest is not None and newest.version > after_version else None


@dataclass(frozen=True, slots=True, eq=False)
class _PositionWaiter:
    position: int
    woken: asyncio.Future[None]
