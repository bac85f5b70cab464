"""One request_id has one effect, for ever (AIP-155).

The row is written in the transaction that first changes something and is bound to the resource
it changed. Methods of one transaction store their response with it; methods whose outcome can
be pending store the resource alone, and a replay answers the resource as it now stands.
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

from services.chassis.request.errors import RequestIdReusedError
from services.chassis.store.micros import to_micros
from services.chassis.store.prepared import Prepared

# Trailing metadata of an answer that was stored by an earlier call with the same request_id.
REPLAYED_KEY = "tradepost-replayed"

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
    """What the first call with a request_id changed, and its answer where that is stored."""

    resource: str
    response: bytes | None


def fingerprint(normalized: Message) -> bytes:
    """SHA-256 of the deterministic serialization of the request without its `request_id`.

    Pass the request after normalization (lines of one SKU summed, defaults filled in), so that
    two ways to say the same thing have one fingerprint. The message is not changed.
    """
    without_id = type(normalized)()
    without_id.CopyFrom(normalized)
    without_id.ClearField("request_id")
    return hashlib.sha256(without_id.SerializeToString(deterministic=True)).digest()


def recall(
    connection: Connection, *, method: str, request_id: str, fingerprint: bytes
) -> RememberedRequest | None:
    """What is remembered of `request_id`; None for a new one.

    `method` is the short name of the RPC ("CreateOrder"). Raises RequestIdReusedError when the
    id was used with a request of another fingerprint.
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
    """Bind `request_id` to the resource it changed; call it after `recall` answered None.

    Call both in one write: writers are serial, so nobody can remember the id in between.
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
