"""The table of request ids: one request_id has one effect (AIP-155), as long as that is stored.

Ids count for each person: nobody can replay, probe or block a request of somebody else. Those of
services are shared, because a saga's step has the same id whichever instance takes it.

The first transaction that changes something for a request_id also writes its row. The row names the
changed resource. A method that finishes in one transaction stores its response in the row. A method
whose outcome may still be pending does not: its replay returns the current resource.
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from services.chassis.identity import caller
from services.chassis.request.context import Context
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.store.micros import to_micros
from services.chassis.store.unit.needs import Need
from services.chassis.store.unit.rows import Rows

# Trailing metadata of a response that an earlier call with the same request_id has stored.
REPLAYED_KEY = "tradepost-replayed"
_REPLAYED = ((REPLAYED_KEY, "true"),)

# The namespace of the UUIDs (version 5) under which the requests of people are known.
_OF_PEOPLE = uuid.UUID("6f1d9b0e-2a57-5c43-9e5e-0c7d1b7a4f68")

_METADATA = MetaData()
REQUEST = Table(
    "request",
    _METADATA,
    Column("method", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("resource", String, nullable=False),
    Column("response", LargeBinary),
    Column("create_time", BigInteger, nullable=False),
)

_REQUESTS = Rows(REQUEST)


@dataclass(frozen=True, slots=True)
class RememberedRequest:
    """What the first call with a request_id changed, and its response if that is stored."""

    resource: str
    response: bytes | None


def fingerprint(normalized: Message) -> bytes:
    """Return the SHA-256 of the request's deterministic serialization, without `request_id`.

    Pass the request after normalization (lines of one SKU summed, defaults filled in), so that
    equivalent requests have the same fingerprint. The message is not changed.
    """
    without_id = type(normalized)()
    without_id.CopyFrom(normalized)
    without_id.ClearField("request_id")
    return hashlib.sha256(without_id.SerializeToString(deterministic=True)).digest()


# Whether the running work is the service's own, whoever asked for it.
_OWN_STEPS: ContextVar[bool] = ContextVar("tradepost_own_steps", default=False)


@contextmanager
def own_steps() -> Iterator[None]:
    """Take the steps in the block under the service's ids, not under those of the caller.

    An event that a person has applied again leads to the same steps as it would by itself.
    """
    token = _OWN_STEPS.set(True)
    try:
        yield
    finally:
        _OWN_STEPS.reset(token)


def own_id(request_id: str) -> str:
    """Return the id under which the running call's request is known inside the service.

    That of a service, and of everybody in open mode, is its request_id. A person's is made of it
    and of their subject. It is a UUID too, so it can be the key of a call to another party.
    """
    subject = caller.current().subject
    if not subject or _OWN_STEPS.get():
        return request_id
    return str(uuid.uuid5(_OF_PEOPLE, f"{subject}/{request_id}"))


def need_of(method: str, request_id: str) -> Need:
    """What `recall` will read, for `Database.write`; call it in the caller's context."""
    return _REQUESTS.need((method, own_id(request_id)))


def recall(
    connection: Connection, *, method: str, request_id: str, fingerprint: bytes
) -> RememberedRequest | None:
    """Return the row of the caller's `request_id`; None for a new id.

    `method` is the short name of the RPC ("CreateOrder"). Raises RequestIdReusedError if the id was
    used with a request of another fingerprint.
    """
    row = _REQUESTS.one(connection, (method, own_id(request_id)))
    if row is None:
        return None
    _, _, known_fingerprint, resource, response, _ = row
    if known_fingerprint != fingerprint:
        raise RequestIdReusedError(method=method, request_id=request_id)
    return RememberedRequest(resource=resource, response=response)


def remember(
    connection: Connection,
    *,
    method: str,
    request_id: str,
    fingerprint: bytes,
    resource: str,
    response: bytes | None = None,
    now: datetime,
) -> None:
    """Write the row of the caller's `request_id`; call it after `recall` has returned None.

    Call both in one write. Writes are serial, so no other call can store the id in between.
    """
    _REQUESTS.put(
        connection,
        {
            "method": method,
            "request_id": own_id(request_id),
            "fingerprint": fingerprint,
            "resource": resource,
            "response": response,
            "create_time": to_micros(now),
        },
    )


def is_replayed(context: Context) -> bool:
    """Whether the answer of a call was stored by an earlier one, so that this one had no effect."""
    return any(entry == _REPLAYED[0] for entry in context.trailing_metadata())


def mark_replayed(context: Context) -> None:
    """Mark the answer of a call as stored by an earlier call with the same request_id."""
    context.set_trailing_metadata(_REPLAYED)
