"""A change under a request_id whose answer is stored: the first call makes it, others are told."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from google.protobuf.message import Message
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.consumer.inbox import AfterCommit
from services.chassis.request.idempotency import fingerprint, recall, remember
from services.chassis.store.database import Database


@dataclass(frozen=True, slots=True)
class Done:
    """An answer; `replayed` where an earlier call with the same request_id gave it."""

    response: bytes
    after_commit: tuple[AfterCommit, ...] = ()
    replayed: bool = False


Change: TypeAlias = Callable[[Connection], Done]


@dataclass(frozen=True, slots=True)
class Once:
    """Makes changes in one database, each request_id's once."""

    database: Database
    clock: Clock

    async def __call__(
        self, method: str, request_id: str, request: Message, change: Change
    ) -> Done:
        """Raises RequestIdReusedError, and what `change` raises, which then had no effect."""
        write = partial(
            self._write,
            method=method,
            request_id=request_id,
            fingerprint=fingerprint(request),
            change=change,
        )
        return await self.database.write(write, then=_call_back)

    def _write(
        self,
        connection: Connection,
        *,
        method: str,
        request_id: str,
        fingerprint: bytes,
        change: Change,
    ) -> Done:
        known = recall(connection, method=method, request_id=request_id, fingerprint=fingerprint)
        if known is not None and known.response is not None:
            return Done(known.response, replayed=True)
        done = change(connection)
        remember(
            connection,
            method=method,
            request_id=request_id,
            fingerprint=fingerprint,
            resource="",
            response=done.response,
            now=self.clock.now(),
        )
        return done


def _call_back(done: Done) -> None:
    for after_commit in done.after_commit:
        after_commit()
