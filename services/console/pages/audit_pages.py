"""The page of the audit trail: who did what, when and why, at all services."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.event.v1.event_pb2 import AuditRecord
from tradepost.event.v1.event_service_pb2 import ListAuditRecordsRequest

from services.console.books.books_reader import MOST_PERSONAL
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.every_service import ask_every_service
from services.console.reading.gathering import Gathering
from services.console.reading.stubs import SERVICES
from services.console.views.audit_view import (
    are_all_known,
    audit_filter,
    audit_table,
    deed_of_event,
    deed_of_record,
    newest_deeds,
)
from services.console.views.query_values import QueryValues

MOST_DEEDS = 200


@for_page("audit")
async def audit(request: Request) -> Response:
    """The newest audit records and what events tell of people, filtered by who and where."""
    values, console = QueryValues(request.query_params), console_of(request)
    actor, services = values.text("actor"), values.services(SERVICES)
    asker = asker_of(request)
    await console.books.look(asker)
    nothing: list[AuditRecord] = []
    async with Gathering(asker) as parts:
        read = ask_every_service(
            parts,
            "audit records",
            {
                name: partial(
                    asker.read,
                    console.stubs.audits[name].ListAuditRecords,
                    ListAuditRecordsRequest(actor=actor, newest_first=True),
                    lambda page: page.audit_records,
                    most=MOST_DEEDS,
                )
                for name in services
            },
            needs=ListAuditRecordsRequest,
            nothing=nothing,
        )
    recorded = [
        deed_of_record(name, record) for name, part in read.items() for record in part.value or ()
    ]
    told = [
        deed_of_event(event)
        for event in console.books.personal
        if event.feed in services and actor in {"", event.actor}
    ]
    newest = newest_deeds([*recorded, *told], MOST_DEEDS)
    return show(
        request,
        "audit.html",
        fields=audit_filter(values.query, SERVICES),
        table=audit_table(newest),
        are_all_known=are_all_known(newest),
        most_personal=MOST_PERSONAL,
        missing=parts.missing,
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (Route(f"{PREFIX}/audit", audit),)
