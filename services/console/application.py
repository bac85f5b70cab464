"""Builds the console; `__main__` and the tests call `console`."""

import random
import uuid
from pathlib import Path

from starlette.applications import Starlette

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.ids import IdFactory
from services.console.books.books_reader import BooksReader
from services.console.pages import (
    audit_pages,
    books_pages,
    feed_pages,
    instance_pages,
    order_pages,
    overview_pages,
    payment_pages,
    saga_pages,
    stock_pages,
)
from services.console.pages.menu import pages_of
from services.console.pages.viewer import PREFIX, Console
from services.console.reading.instance_calls import InstanceCalls
from services.console.reading.stubs import Stubs
from services.console.settings import ConsoleSettings
from services.web.application import web_application
from services.web.services import Services
from services.web.settings import LoginSettings, WebSettings

NAME = "console"
_HERE = Path(__file__).parent
_PAGES = (
    overview_pages,
    order_pages,
    saga_pages,
    stock_pages,
    payment_pages,
    feed_pages,
    instance_pages,
    books_pages,
    audit_pages,
)


def console(
    settings: ConsoleSettings,
    *,
    web: WebSettings,
    login: LoginSettings,
    services: Services,
    registry: ConsulRegistry | None,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
) -> Starlette:
    """Return the application. `registry` lists instances; None where there is no Consul."""
    app = web_application(
        NAME,
        [route for pages in _PAGES for route in pages.ROUTES],
        prefix=PREFIX,
        templates=_HERE / "templates",
        static=_HERE / "static",
        settings=web,
        login=login,
        services=services,
        clock=clock,
        ids=ids,
    )
    app.state.templates.globals["pages_of"] = pages_of
    stubs = Stubs.over(services.channels)
    app.state.console = Console(
        stubs=stubs,
        instances=InstanceCalls(registry, services.channels, services.open_instance),
        books=BooksReader(stubs, clock=clock),
        clock=clock,
        new_request_id=lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        trace_url=settings.trace_url,
    )
    return app
