"""Writes that happen once per request_id, with their response stored in the same transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from google.protobuf.message import Message
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.request.request_ids import fingerprint, recall, remember
from services.chassis.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A serialized response; `replayed` where an earlier call with the same request_id stored it.

    `after_commit` is called on the event loop once the write is committed.
    """

    response: bytes
    after_commit: tuple[Callable[[], None], ...] = ()
    replayed: bool = False


Write: TypeAlias = Callable[[Connection], StoredResponse]


@dataclass(frozen=True, slots=True)
class IdempotentWrites:
    """Executes writes in one database, one for each request_id of a method."""

    database: Database
    clock: Clock

    async def __call__(
        self, method: str, request_id: str, request: Message, write: Write
    ) -> StoredResponse:
        """Execute `write`, or return the response that is stored for this request_id.

        Raises RequestIdReusedError, and whatever `write` raises, after a rollback.
        """
        execute = partial(
            self._write,
            method=method,
            request_id=request_id,
            fingerprint=fingerprint(request),
            write=write,
        )
        return await self.database.write(execute, then=_call_back)

    def _write(
        self,
        connection: Connection,
        *,
        method: str,
        request_id: str,
        fingerprint: bytes,
        write: Write,
    ) -> StoredResponse:
        known = recall(connection, method=method, request_id=request_id, fingerprint=fingerprint)
        if known is not None and known.response is not None:
            return StoredResponse(known.response, replayed=True)
        written = write(connection)
        remember(
            connection,
            method=method,
            request_id=request_id,
            fingerprint=fingerprint,
            resource="",
            response=written.response,
            now=self.clock.now(),
        )
        return written


def _call_back(written: StoredResponse) -> None:
    for after_commit in written.after_commit:
        after_commit()
