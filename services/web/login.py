"""The login below an application's prefix: OpenID Connect's code flow with PKCE, and the logout.

    GET /shop/login?next=/shop/orders -> the identity provider -> GET /shop/login/callback -> next

The tokens stay on the server's side of the cookie: no script of a page can read them.
"""

from http import HTTPStatus
from urllib.parse import SplitResult, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from discovery.clock import Clock
from services.chassis.telemetry import logs
from services.web.csrf import FIELD
from services.web.issuer import Issuer
from services.web.person import session_user

_NEXT = "next"
# Whose session it is, also after their sign-in is over.
_OWNER = "owner"
# It is kept in the session, which has to fit into a cookie.
_MAX_PATH_CHARACTERS = 512


class Login:
    """The endpoints of login and logout for one application."""

    def __init__(self, issuer: Issuer, *, prefix: str, public_url: str, clock: Clock) -> None:
        self._issuer = issuer
        self._prefix = prefix
        self._public_url = f"{public_url}{prefix}"
        self._clock = clock
        self._log = logs.get_logger("login")

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that the application adds to its own."""
        return (
            Route(f"{self._prefix}/login", self.begin, methods=["GET"]),
            Route(f"{self._prefix}/login/callback", self.finish, methods=["GET"]),
            Route(f"{self._prefix}/logout", self.end, methods=["POST"]),
        )

    async def begin(self, request: Request) -> Response:
        """Remember where the person wants to go, and send them to the identity provider."""
        request.session[_NEXT] = self._local(request.query_params.get(_NEXT, ""))
        return await self._issuer.redirect(request, callback=f"{self._public_url}/login/callback")

    async def finish(self, request: Request) -> Response:
        """Keep who has logged in, and go where they wanted to."""
        who, token = await self._issuer.finish(request)
        session = request.session
        wanted = session.pop(_NEXT, "")
        # Whatever was known before the login must not be good for anything after it.
        session.pop(FIELD, None)
        if session.get(_OWNER, who.subject) != who.subject:
            # It is somebody else's, who didn't sign out: a basket, say.
            session.clear()
        session[_OWNER] = who.subject
        session["user"] = session_user(who, token, since_s=self._clock.now().timestamp())
        self._log.info("signed_in", subject=who.subject)
        return _see_other(self._local(wanted))

    async def end(self, request: Request) -> Response:
        """Forget everything about the person, and have the identity provider forget them too."""
        request.session.clear()
        elsewhere = await self._issuer.logout_url(back_to=self._public_url)
        return _see_other(elsewhere or f"{self._prefix}/")

    def _local(self, path: str) -> str:
        """Return a path of this application only: anything else may be a trap (CWE-601)."""
        is_ours = path.startswith(f"{self._prefix}/") and path.isprintable() and "\\" not in path
        return path if is_ours and len(path) <= _MAX_PATH_CHARACTERS else f"{self._prefix}/"


def login_url(request: Request) -> str:
    """Return the address of the login that leads back to the page of a GET request.

    For a part of a page, that is the page in which it is (htmx tells it).
    """
    prefix: str = request.app.state.prefix
    page = _page_of(request.headers.get("hx-current-url", ""))
    if page is not None:
        path, query = page.path, page.query
    else:
        path, query = request.scope["path"], request.url.query
    wanted = f"{path}?{query}" if query else path
    if request.method != "GET" and page is None:
        # What a POST answered can't be loaded again.
        wanted = f"{prefix}/"
    return f"{prefix}/login?{_NEXT}={quote(wanted)}"


def _page_of(url: str) -> SplitResult | None:
    """The parts of a URL that has a path; None for one that can't be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.path else None


def _see_other(path: str) -> Response:
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)
