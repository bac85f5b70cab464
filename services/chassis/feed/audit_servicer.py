"""Serves tradepost.event.v1.AuditService over the audit log of a service."""

from functools import partial

from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc

from services.chassis.log import audit_log
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.pages import (
    arguments_of,
    check_page_size,
    check_sequence,
    page_of,
)
from services.chassis.request.validation import Check
from services.chassis.store.database import Database

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["AuditService"].full_name
MAX_ACTOR_CHARACTERS = 500


class AuditServicer(event_service_pb2_grpc.AuditServiceServicer):
    """Serves AuditService; a service without a database answers UNIMPLEMENTED."""

    def __init__(self, database: Database | None) -> None:
        self._database = database

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, context: Context
    ) -> pb.ListAuditRecordsResponse:
        """List audit records in the order in which they were written, or the newest first."""
        if self._database is None:
            raise NotImplementedYetError("AuditService.ListAuditRecords")
        check = Check()
        check.text("actor", request.actor, max_len=MAX_ACTOR_CHARACTERS, required=False)
        size = check_page_size(check, request.page_size)
        after_sequence = check_sequence(check, request.page_token, arguments_of(request))
        check.done()
        read = partial(
            audit_log.page,
            actor=request.actor,
            newest_first=request.newest_first,
            after_sequence=after_sequence,
            row_limit=size + 1,
        )
        page = page_of(
            request,
            await self._database.read(read),
            size,
            key_of=lambda record: (record.sequence,),
            to_message=lambda record: record,
        )
        return pb.ListAuditRecordsResponse(
            audit_records=page.rows, next_page_token=page.next_page_token
        )
