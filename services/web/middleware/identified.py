"""Finds out who asks: the person of the session, or of a bearer token where no session is."""

from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from discovery.clock import Clock
from services.chassis.identity.authentication import Person, Verify

_BEARER = "bearer "


class Identified:
    """The middleware that finds out who asks, below `prefix` by session, elsewhere by token.

    A token that proves nothing is refused: InvalidTokenError, ExpiredTokenError,
    KeysUnavailableError.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, verify: Verify, clock: Clock) -> None:
        self._app = app
        self._below = f"{prefix}/"
        self._verify = verify
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            request.state.person, request.state.token = await self._of(request)
        await self._app(scope, receive, send)

    async def _of(self, request: Request) -> tuple[Person | None, str]:
        if request.scope["path"].startswith(self._below):
            return self._of_session(request.session.get("user", {}))
        authorization = request.headers.get("authorization", "")
        if not authorization.lower().startswith(_BEARER):
            return None, ""
        token = authorization[len(_BEARER) :].strip()
        return await self._verify(token), token

    def _of_session(self, user: dict[str, Any]) -> tuple[Person | None, str]:
        if not user or self._clock.now().timestamp() >= user["until_s"]:
            return None, ""
        person = Person(user["subject"], frozenset(user["roles"]), until_s=user["until_s"])
        return person, str(user["token"])
