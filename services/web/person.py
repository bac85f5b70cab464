"""Who asks: the person of the session, or of a bearer token where there is no session."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from services.chassis.identity.authentication import Person
from services.chassis.identity.errors import RoleNotAllowedError

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class SignInRequiredError(Exception):
    """Nobody is signed in, or no longer."""

    def __init__(self) -> None:
        super().__init__("please sign in")


def session_user(person: Person, token: str, *, since_s: float) -> dict[str, Any]:
    """Return what `request.session["user"]` holds of a person who has signed in at `since_s`."""
    return {
        "subject": person.subject,
        "roles": sorted(person.roles),
        "token": token,
        "since_s": since_s,
        "until_s": person.until_s,
    }


def person(request: Request) -> Person | None:
    """Return who is signed in; None: nobody, or no longer."""
    found: Person | None = getattr(request.state, "person", None)
    return found


def signed_in(*roles: str) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint answer only people with one of the roles; without roles, all people.

    Others get SignInRequiredError, which leads to the login, or RoleNotAllowedError.
    """

    def guard(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            who = person(request)
            if who is None:
                raise SignInRequiredError
            if roles and not who.roles & set(roles):
                raise RoleNotAllowedError(roles)
            return await endpoint(request)

        return guarded

    return guard
