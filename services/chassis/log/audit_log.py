"""The audit log: changes that no event tells of, each with who made it, when, why, and its outcome.

A record is written in the transaction of its change, so either both exist or neither does. Records
are only ever appended.
"""

from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
)
from tradepost.event.v1.event_pb2 import AuditRecord

from services.chassis.identity import caller
from services.chassis.request.idempotent_writes import IdempotentWrites, StoredResponse, Write
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.telemetry import correlation

AUDIT_RECORD = Table(
    "audit_record",
    MetaData(),
    # In SQLite only INTEGER makes the sequence the row key; it has 64 bits there, too.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("occur_time", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("method", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("correlation_id", String, nullable=False),
    Column("instance_id", String, nullable=False),
)
_C = AUDIT_RECORD.c


@dataclass(frozen=True, slots=True)
class AuditedWrites:
    """Writes that happen once for each request_id, each with its audit record.

    `instance_id` is kept with each record: it tells whose log to read.
    """

    once: IdempotentWrites
    instance_id: str

    async def __call__(self, request_id: str, request: Message, write: Write) -> StoredResponse:
        """Execute the write that `request` asks for, or return the response of an earlier one.

        `request` belongs to one method of its contract, and may have a field `reason`. Raises
        RequestIdReusedError, and whatever `write` raises, after a rollback.
        """
        method = _method_of(request)
        return await self.once(
            method.name, request_id, request, self._audited(method, request, write)
        )

    def _audited(self, method: MethodDescriptor, request: Message, write: Write) -> Write:
        def audited(connection: Connection) -> StoredResponse:
            # A write may go on under the correlation of an event that it applies.
            correlation_id = correlation.current().correlation_id
            written = write(connection)
            connection.execute(
                insert(AUDIT_RECORD).values(
                    occur_time=to_micros(self.once.clock.now()),
                    actor=caller.current().actor,
                    method=method.full_name,
                    reason=getattr(request, "reason", ""),
                    request=_typed(method.input_type, request.SerializeToString()),
                    response=_typed(method.output_type, written.response),
                    correlation_id=correlation_id,
                    instance_id=self.instance_id,
                )
            )
            return written

        return audited


def page(
    connection: Connection,
    *,
    actor: str,
    newest_first: bool,
    after_sequence: int,
    row_limit: int,
) -> list[AuditRecord]:
    """Records in the order in which they were written, or the newest first.

    Those of all actors if `actor` is empty. The first page is after sequence 0.
    """
    rows = select(AUDIT_RECORD).limit(row_limit)
    if newest_first:
        rows = rows.order_by(_C.sequence.desc())
        if after_sequence:
            rows = rows.where(_C.sequence < after_sequence)
    else:
        rows = rows.order_by(_C.sequence).where(_C.sequence > after_sequence)
    if actor:
        rows = rows.where(_C.actor == actor)
    return [_to_record(row) for row in connection.execute(rows)]


def _method_of(request: Message) -> MethodDescriptor:
    """The method whose request has this type."""
    asked = request.DESCRIPTOR
    methods = (
        method
        for service in asked.file.services_by_name.values()
        for method in service.methods_by_name.values()
    )
    return cast(MethodDescriptor, next(each for each in methods if each.input_type is asked))


def _typed(message: Descriptor, value: bytes) -> bytes:
    """A serialized message with its type, so that every version of a service can show it."""
    return AnyMessage(
        type_url=f"type.googleapis.com/{message.full_name}", value=value
    ).SerializeToString()


def _to_record(row: Any) -> AuditRecord:
    record = AuditRecord(
        sequence=row.sequence,
        actor=row.actor,
        method=row.method,
        reason=row.reason,
        request=AnyMessage.FromString(row.request),
        response=AnyMessage.FromString(row.response),
        correlation_id=row.correlation_id,
        instance_id=row.instance_id,
    )
    record.occur_time.FromDatetime(from_micros(row.occur_time))
    return record
