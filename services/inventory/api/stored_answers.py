"""Answers that are stored under their request_id, so that a repeated request has no effect."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import recall, remember

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class StoredAnswer(Generic[M]):
    """A response; `replayed` says that an earlier call with the same request_id stored it."""

    response: M
    replayed: bool


def answer_once(
    connection: Connection,
    intention: Intention[Any],
    response_type: type[M],
    carry_out: Callable[[], M],
    *,
    resource: str,
    now: datetime,
) -> StoredAnswer[M]:
    """The stored answer, or the answer of `carry_out`, which is stored in this transaction.

    Raises RequestIdReusedError, and what `carry_out` raises; then nothing is stored.
    """
    method, request_id = intention.method, intention.request_id
    remembered = recall(
        connection, method=method, request_id=request_id, fingerprint=intention.fingerprint
    )
    if remembered is not None:
        return StoredAnswer(response_type.FromString(remembered.response or b""), replayed=True)
    response = carry_out()
    remember(
        connection,
        method=method,
        request_id=request_id,
        fingerprint=intention.fingerprint,
        resource=resource,
        response=response.SerializeToString(),
        now=now,
    )
    return StoredAnswer(response, replayed=False)
