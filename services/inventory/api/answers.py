"""One request_id, one effect: the answer of the first call is the answer of all of them."""

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
class Answer(Generic[M]):
    """A response, and whether an earlier call with the same request_id brought it about."""

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
) -> Answer[M]:
    """The remembered answer, or that of `carry_out`, which is remembered in this transaction.

    Raises RequestIdReusedError, and what `carry_out` raises; then nothing is remembered.
    """
    method, request_id = intention.method, intention.request_id
    remembered = recall(
        connection, method=method, request_id=request_id, fingerprint=intention.fingerprint
    )
    if remembered is not None:
        return Answer(response_type.FromString(remembered.response or b""), replayed=True)
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
    return Answer(response, replayed=False)
