"""Builds the Starlette application of the storefront or the console."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.web import csrf
from services.web.csrf import CsrfCheck
from services.web.errors import answer
from services.web.issuer import Issuer
from services.web.live import Drain
from services.web.login import Login
from services.web.middleware.correlated import Correlated
from services.web.middleware.error_pages import ErrorPages
from services.web.middleware.identified import Identified
from services.web.middleware.page_deadline import PageDeadline
from services.web.middleware.security_headers import SecurityHeaders
from services.web.pages import environment_of
from services.web.services import Services
from services.web.session import SessionCookie, Sessions
from services.web.settings import LoginSettings, WebSettings
from services.web.static_files import OWN_FILES, StaticFiles


def web_application(
    name: str,
    routes: Sequence[BaseRoute],
    *,
    prefix: str,
    templates: Path,
    settings: WebSettings,
    login: LoginSettings,
    services: Services,
    clock: Clock,
    ids: IdFactory,
    static: Path | None = None,
    new_csrf_token: Callable[[], str] = csrf.new_token,
) -> Starlette:
    """Return an application that serves `routes`, whose paths are whole, such as `/shop/orders`.

    Pages and the session are below `prefix` ("/shop"), and so are the login and the static files.
    A path elsewhere is for programs: they bring a bearer token, and get errors as JSON.
    `templates` and `static` are the application's own folders.
    """
    issuer = Issuer(login, clock=clock)
    files = StaticFiles([OWN_FILES, *([static] if static else [])], prefix=prefix)
    own = Login(issuer, prefix=prefix, public_url=settings.public_url, clock=clock)
    app = Starlette(
        routes=[
            Route("/healthz", _healthz),
            Route(prefix, partial(_to_first_page, f"{prefix}/")),
            files.route,
            *own.routes,
            *routes,
        ],
        middleware=_middleware(name, prefix, settings, issuer, clock=clock, ids=ids),
        exception_handlers={HTTPException: _answer},
        lifespan=partial(_running, issuer),
    )
    # Its redirects would lead to the address by which the edge called.
    app.router.redirect_slashes = False
    app.state.name, app.state.prefix, app.state.services = name, prefix, services
    app.state.clock, app.state.drain = clock, Drain()
    app.state.new_csrf_token = new_csrf_token
    app.state.templates = environment_of(templates, files.address)
    return app


def _middleware(
    name: str,
    prefix: str,
    settings: WebSettings,
    issuer: Issuer,
    *,
    clock: Clock,
    ids: IdFactory,
) -> list[Middleware]:
    """Return the layers, the outermost first."""
    cookie = SessionCookie(
        f"{name}_session",
        path=prefix,
        keys=settings.keys,
        is_https=settings.is_https,
        clock=clock,
    )
    return [
        # Outermost, so that whatever fails below has a correlation id, and one line in the log.
        Middleware(Correlated, new_correlation_id=partial(ids.new, "cor"), clock=clock),
        # Above the error pages, because a browser must not trust these more than other pages.
        Middleware(SecurityHeaders, is_https=settings.is_https),
        # Before the cookie is written, so that an error page may end a sign-in.
        Middleware(Sessions, cookie=cookie, prefix=prefix),
        # Below the session, which its pages show; above all that refuses.
        Middleware(ErrorPages),
        # A token is checked before the form, so that a forged one costs nothing more.
        Middleware(Identified, prefix=prefix, verify=issuer.verify, clock=clock),
        # Last of those that refuse: it reads the body.
        Middleware(CsrfCheck, prefix=prefix),
        # The time for the calls begins when the whole request is here.
        Middleware(PageDeadline, clock=clock),
    ]


async def _answer(request: Request, error: Exception) -> Response:
    return answer(request, error)


async def _to_first_page(path: str, _: Request) -> Response:
    return RedirectResponse(path, status_code=HTTPStatus.PERMANENT_REDIRECT)


async def _healthz(request: Request) -> Response:
    """Tell checks whether the instance takes requests."""
    drain: Drain = request.app.state.drain
    if drain.is_leaving:
        return PlainTextResponse("draining\n", status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    return PlainTextResponse("serving\n")


@asynccontextmanager
async def _running(issuer: Issuer, _: Starlette) -> AsyncIterator[None]:
    """Keep the issuer's keys current while the application serves."""
    keys = asyncio.create_task(issuer.keys.run())
    try:
        yield
    finally:
        keys.cancel()
        await asyncio.gather(keys, return_exceptions=True)
