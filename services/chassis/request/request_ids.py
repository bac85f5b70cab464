"""The table of request ids: one request_id has one effect, forever (AIP-155).

The first transaction that changes something for a request_id also writes its row. The row names the
changed resource. A method that finishes in one transaction stores its response in the row. A method
whose outcome may still be pending does not: its replay returns the current resource.
"""

import hashlib
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
    bindparam,
    insert,
    select,
)

from services.chassis.request.context import Context
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.store.micros import to_micros
from services.chassis.store.prepared import Prepared

# Trailing metadata of a response that an earlier call with the same request_id has stored.
REPLAYED_KEY = "tradepost-replayed"
_REPLAYED = ((REPLAYED_KEY, "true"),)

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

_RECALL = Prepared(
    select(REQUEST.c.fingerprint, REQUEST.c.resource, REQUEST.c.response).where(
        REQUEST.c.method == bindparam("method"), REQUEST.c.request_id == bindparam("request_id")
    )
)
_REMEMBER = Prepared(insert(REQUEST).inline())


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


def recall(
    connection: Connection, *, method: str, request_id: str, fingerprint: bytes
) -> RememberedRequest | None:
    """Return the row of `request_id`; None for a new id.

    `method` is the short name of the RPC ("CreateOrder"). Raises RequestIdReusedError if the id was
    used with a request of another fingerprint.
    """
    row = _RECALL.first(connection, method=method, request_id=request_id)
    if row is None:
        return None
    known_fingerprint, resource, response = row
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
    """Write the row of `request_id`; call it after `recall` has returned None.

    Call both in one write. Writes are serial, so no other call can store the id in between.
    """
    _REMEMBER.change(
        connection,
        method=method,
        request_id=request_id,
        fingerprint=fingerprint,
        resource=resource,
        response=response,
        create_time=to_micros(now),
    )


def mark_replayed(context: Context) -> None:
    """Mark the answer of a call as stored by an earlier call with the same request_id."""
    context.set_trailing_metadata(_REPLAYED)
