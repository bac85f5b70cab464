"""Keeps the issuer's public keys current while their owner rotates them.

The set is read again from time to time, and at once when a token names a key that is not in it. A
set that can't be read changes nothing: the last good one stays.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from types import MappingProxyType

import jwt

from discovery.clock import Clock
from services.chassis.identity.errors import InvalidTokenError, KeysUnavailableError
from services.chassis.identity.key_set import KeySet, KeysNotReadError, parse
from services.chassis.telemetry import logs

SETTING = "TRADEPOST_JWKS_URL"
REFRESH_S = 60.0
# After a failure, and between two readings that tokens with unknown keys asked for.
RETRY_S = 1.0
# How often a process that has no keys yet says why.
REMIND_S = 5.0
# Calls that wait for a reading, and how long they do.
MAX_WAITING = 1_000
WAIT_S = 10.0


class IssuerKeys:
    """The newest set, kept by `run`, which the server runs as a background task.

    `setting` is the variable that says where they are.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[], Awaitable[bytes]],
        clock: Clock,
        setting: str = SETTING,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._log = logs.get_logger("keys", setting=setting)
        self._reported_s = -math.inf
        self._document = b""
        self._current: KeySet = MappingProxyType({})
        self._failure = ""
        # Readings are counted: a call waits for one that begins after the call has come.
        self._begun = 0
        self._ended = 0
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._read = asyncio.Condition()

    @property
    def current(self) -> KeySet:
        """The newest keys; another object after each change, and none before the first reading."""
        return self._current

    async def find(self, key_id: str) -> jwt.PyJWK:
        """Return a key; read the set again if the key is not in it.

        Raises InvalidTokenError for a key that is not the issuer's, and KeysUnavailableError while
        this can't be known.
        """
        key = self._current.get(key_id)
        if key is None:
            await self._next_reading()
            key = self._current.get(key_id)
        if key is not None:
            return key
        if self._failure:
            raise KeysUnavailableError
        raise InvalidTokenError("its key is not one of the issuer's")

    async def run(self) -> None:
        """Read the set now, and then whenever it is time or wanted, until cancelled."""
        while True:
            self._wanted.clear()
            self._begun += 1
            await self._refresh()
            async with self._read:
                self._ended = self._begun
                self._read.notify_all()
            # The pause bounds how often tokens with invented keys make us ask the issuer.
            await self._clock.sleep(RETRY_S)
            if not self._failure:
                await self._until_wanted(REFRESH_S)

    async def _next_reading(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise KeysUnavailableError
        # Before the first set, one that is being read will do.
        is_first = not self._current and self._begun > self._ended
        number = self._begun if is_first else self._begun + 1
        self._wanted.set()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S), self._read:
                await self._read.wait_for(lambda: self._ended >= number)
        except TimeoutError:
            raise KeysUnavailableError from None
        finally:
            self._waiting -= 1

    async def _refresh(self) -> None:
        try:
            document = await self._fetch()
            changed = parse(document) if document != self._document else None
        except KeysNotReadError as error:
            self._report_failure(str(error))
            return
        if changed is not None:
            self._document, self._current = document, changed
        if changed is not None or self._failure:
            self._log.info("issuer_keys_read", key_ids=sorted(self._current))
        self._failure = ""

    def _report_failure(self, cause: str) -> None:
        """Log a failure once, not at each attempt; without any keys, again from time to time."""
        now_s = self._clock.monotonic()
        is_overdue = not self._current and now_s - self._reported_s >= REMIND_S
        if cause != self._failure or is_overdue:
            self._reported_s = now_s
            self._log.warning(
                "issuer_keys_not_read",
                cause=cause,
                kept=len(self._current),
                retry_s=RETRY_S,
            )
        self._failure = cause

    async def _until_wanted(self, at_most_s: float) -> None:
        waits = [
            asyncio.ensure_future(self._wanted.wait()),
            asyncio.ensure_future(self._clock.sleep(at_most_s)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
