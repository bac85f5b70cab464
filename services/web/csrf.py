"""Refuses requests that change something unless they come from a page of ours.

A session has one token. Every form carries it, and htmx sends it as a header; a page of another
site knows neither. Requests with a bearer token need none, because no browser adds one by itself.
"""

import secrets
from hmac import compare_digest
from http import HTTPStatus
from urllib.parse import parse_qs

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIELD = "csrf_token"
HEADER = "x-csrf-token"
# Forms of these pages are a few hundred bytes long.
MAX_FORM_BYTES = 64 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ForgedRequestError(Exception):
    """The request doesn't carry the token of its session."""

    def __init__(self) -> None:
        super().__init__("the form is too old, or doesn't come from this site")


def new_token() -> str:
    """Make a token that nobody can guess."""
    return secrets.token_urlsafe(16)


def csrf_token(request: Request) -> str:
    """Return the token of the request's session; a session without one gets one."""
    if not request.session.get(FIELD):
        request.session[FIELD] = request.app.state.new_csrf_token()
    return str(request.session[FIELD])


def csrf_field(request: Request) -> Markup:
    """Return the hidden field that every form needs."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, csrf_token(request))


class CsrfCheck:
    """The middleware that refuses; below `prefix` only, where the session is."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._below = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_checked = scope["type"] == "http" and scope["path"].startswith(self._below)
        if is_checked and scope["method"] not in _SAFE:
            receive = await _checked(Request(scope, receive))
        await self._app(scope, receive, send)


async def _checked(request: Request) -> Receive:
    """Return from where the application reads the body. Raises ForgedRequestError."""
    expected = str(request.session.get(FIELD, ""))
    sent = request.headers.get(HEADER, "")
    body = await _body(request)
    if not sent:
        sent = parse_qs(body.decode("latin-1")).get(FIELD, [""])[0]
    if not expected or not compare_digest(sent.encode(), expected.encode()):
        raise ForgedRequestError
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await request.receive()

    return receive


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)
