"""The page of the books."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.views.books_view import equations_table, sources_table


@for_page("books")
async def books(request: Request) -> Response:
    """The equations; a script asks for them again and again."""
    return await _shown(request, "books.html")


@for_page("books")
async def live(request: Request) -> Response:
    """The part that is asked for again."""
    return await _shown(request, "books_live.html")


async def _shown(request: Request, template: str) -> Response:
    console = console_of(request)
    await console.books.look(asker_of(request))
    now, progress = console.clock.now(), console.books.progress()
    return show(
        request,
        template,
        equations=equations_table(console.books.books, progress, now),
        sources=sources_table(progress, now),
        since=console.books.books.since,
        now=now,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/books", books),
    Route(f"{PREFIX}/books/live", live),
)
