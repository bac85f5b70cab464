"""The page of unfinished sagas."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.order.admin.v1.saga_admin_service_pb2 import RetrySagaRequest

from services.console.actions import order_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.gathering import Gathering
from services.console.views.query_values import QueryValues
from services.console.views.sagas_view import sagas_filter, sagas_request, sagas_table
from services.console.views.table import ActionForm


@for_page("sagas")
async def sagas(request: Request) -> Response:
    """The unfinished sagas, each of which can be chosen for a retry."""
    values, console = QueryValues(request.query_params), console_of(request)
    asked = sagas_request(values)
    async with Gathering(asker_of(request)) as parts:
        listed = parts.ask("sagas", console.stubs.sagas.ListSagas, asked)
    found = listed.value.sagas if listed.value else ()
    token = listed.value.next_page_token if listed.value else ""
    retry = ActionForm("sagas/retry", "Retry", "Retry the chosen sagas", console.new_request_id())
    return show(
        request,
        "sagas.html",
        fields=sagas_filter(values.query),
        table=sagas_table(found, values.query, token, console.clock.now()),
        retry=retry,
        missing=parts.missing,
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/sagas", sagas),
    action_route("sagas/retry", order_actions.retry_many, RetrySagaRequest),
)
