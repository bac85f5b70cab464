"""The first page: live figures, states, instances and plots."""

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from tradepost.order.admin.v1.saga_admin_service_pb2 import ListSagasRequest

from services.console.books.order_counts import series
from services.console.pages.menu import for_page, pages_of
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.feeds_reading import ask_for_feeds
from services.console.reading.gathering import Gathering, all_of
from services.console.reading.instances_reading import read_instances
from services.console.reading.stubs import SERVICES
from services.console.views.overview_view import MOST_REVIEWS
from services.console.views.overview_view import overview as overview_of
from services.web.person import person

# It is looked at all the time, so it reads little at once.
LOOK_S = 0.2


async def first(request: Request) -> Response:
    """The console's address leads to the first page that the person may open."""
    page = next(iter(pages_of(person(request))), "overview")
    return RedirectResponse(f"{PREFIX}/{page}")


@for_page("overview")
async def overview(request: Request) -> Response:
    """The whole page; a script asks for its live part again and again."""
    return await _shown(request, "overview.html")


@for_page("overview")
async def live(request: Request) -> Response:
    """The live part."""
    return await _shown(request, "overview_live.html")


@for_page("overview")
async def plotted(request: Request) -> Response:
    """What the plots show, as JSON."""
    console = console_of(request)
    await console.books.look(asker_of(request), for_s=LOOK_S)
    return JSONResponse(asdict(series(console.books.books.orders, console.clock.now())))


async def _shown(request: Request, template: str) -> Response:
    console = console_of(request)
    async with Gathering(asker_of(request)) as parts:
        looking = asyncio.ensure_future(console.books.look(parts.asker, for_s=LOOK_S))
        sagas = console.stubs.sagas.ListSagas
        reviews = parts.ask(
            "sagas for review", sagas, ListSagasRequest(needs_review=True, page_size=MOST_REVIEWS)
        )
        oldest = parts.ask("oldest saga", sagas, ListSagasRequest(page_size=1))
        feeds = ask_for_feeds(parts, console.stubs, SERVICES)
        instances = await asyncio.gather(
            *(read_instances(console.instances, name) for name in SERVICES)
        )
        await looking
    books, now = console.books, console.clock.now()
    return show(
        request,
        template,
        view=overview_of(
            books.books,
            books.progress(),
            reviews=reviews.value.sagas if reviews.value else None,
            oldest=oldest.value.sagas if oldest.value else None,
            consumers=all_of(feeds.subscriptions.values()),
            dead_letters=all_of(feeds.letters.values()),
            instances=instances,
            now=now,
        ),
        since=books.books.since,
        now=now,
        missing=parts.missing,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/", first),
    Route(f"{PREFIX}/overview", overview),
    Route(f"{PREFIX}/overview/live", live),
    Route(f"{PREFIX}/overview/series", plotted),
)
