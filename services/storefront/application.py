"""Builds the storefront: routes, files, and what its endpoints find in `request.app.state`."""

import random
import uuid
from pathlib import Path

from starlette.applications import Starlette

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.storefront.live import streams
from services.storefront.mobile import screens
from services.storefront.pages import routes as pages
from services.storefront.settings import StorefrontSettings
from services.web.application import web_application
from services.web.services import Services
from services.web.settings import LoginSettings, WebSettings

NAME = "storefront"
PREFIX = "/shop"
_HERE = Path(__file__).parent


def storefront(
    settings: StorefrontSettings,
    *,
    web: WebSettings,
    login: LoginSettings,
    services: Services,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
) -> Starlette:
    """Return the application."""
    app = web_application(
        NAME,
        [*pages.ROUTES, *screens.ROUTES, *streams.ROUTES],
        prefix=PREFIX,
        templates=_HERE / "templates",
        static=_HERE / "static",
        settings=web,
        login=login,
        services=services,
        clock=clock,
        ids=ids,
    )
    app.state.storefront, app.state.rng = settings, rng
    app.state.new_request_id = lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return app
