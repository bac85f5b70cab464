"""The page of feeds: consumers, and what they could not apply."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.event.v1.event_service_pb2 import (
    DiscardDeadLetterRequest,
    ReplayDeadLettersRequest,
    RewindSubscriptionRequest,
)

from services.console.actions import feed_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.feeds_reading import ask_for_feeds
from services.console.reading.gathering import Gathering
from services.console.reading.stubs import SERVICES
from services.console.views.feeds_view import consumers_table, feeds_filter, parked_events
from services.console.views.query_values import QueryValues


@for_page("feeds")
async def feeds(request: Request) -> Response:
    """The consumers with their lag, and dead letters by aggregate."""
    values, console = QueryValues(request.query_params), console_of(request)
    services = values.services(SERVICES)
    async with Gathering(asker_of(request)) as parts:
        read = ask_for_feeds(
            parts, console.stubs, services, show_discarded=values.text("discarded") == "yes"
        )
    consumer, aggregate = values.text("consumer"), values.text("aggregate")
    consumers = [each for each in read.consumers if consumer in {"", each.subscription.consumer}]
    parked = [
        each
        for each in parked_events(read.dead_letters, console.clock.now())
        if consumer in {"", each.consumer} and aggregate in {"", each.aggregate_id}
    ]
    return show(
        request,
        "feeds.html",
        fields=feeds_filter(values.query, SERVICES),
        table=consumers_table(consumers),
        consumers=consumers,
        parked=parked,
        missing=parts.missing,
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/feeds", feeds),
    action_route("feeds/rewind", feed_actions.rewind, RewindSubscriptionRequest),
    action_route("feeds/replay", feed_actions.replay, ReplayDeadLettersRequest),
    action_route("feeds/discard", feed_actions.discard, DiscardDeadLetterRequest),
)
