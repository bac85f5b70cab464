"""The page of instances: the registry's list beside what this console's own channels see.

An instance can be drained here.
"""

import asyncio
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.instance.v1.instance_service_pb2 import DrainInstanceRequest

from services.console.actions import instance_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, console_of, show
from services.console.reading.instances_reading import read_instances
from services.console.reading.stubs import SERVICES
from services.console.views.instances_view import (
    breakers_table,
    drain_form,
    instances_filter,
    instances_table,
    picks_table,
)
from services.console.views.query_values import QueryValues

MOST_PICKS = 20


@for_page("instances")
async def instances(request: Request) -> Response:
    """The instances of every service, or of the one in the query."""
    values, console = QueryValues(request.query_params), console_of(request)
    services = values.services(SERVICES)
    is_one = len(services) == 1
    read = await asyncio.gather(*(read_instances(console.instances, name) for name in services))
    return show(
        request,
        "instances.html",
        fields=instances_filter(values.query, SERVICES),
        tables=[
            (
                instances_table(each),
                breakers_table(each.service, each.seen) if each.seen else None,
                picks_table(each.service, each.seen, MOST_PICKS) if each.seen and is_one else None,
                drain_form(each, console.new_request_id()),
            )
            for each in read
        ],
        missing={f"registry: {each.service}": each.fault for each in read if each.fault},
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/instances", instances),
    action_route(
        "instances/drain",
        instance_actions.drain,
        DrainInstanceRequest,
        calls=attrgetter("instances"),
    ),
)
