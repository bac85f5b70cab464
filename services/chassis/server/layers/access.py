"""Finds out who calls, binds the caller, and refuses a method that its contract does not allow.

The peer is known by its certificate, which TLS has verified, and a person by the bearer token that
the call carries. A stream ends when the token expires: no message is sent after that. A secure
server has this layer, and an open one does not.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from discovery.clock import Clock
from services.chassis.identity import caller
from services.chassis.identity.authentication import Authentication, Person
from services.chassis.identity.caller import Caller
from services.chassis.identity.errors import ExpiredTokenError, InvalidTokenError
from services.chassis.identity.method_access import (
    MethodAccess,
    access_of,
    is_customer_only,
    refusal,
)
from services.chassis.request.context import Context
from services.chassis.request.ownership import LIMITED_TO
from services.chassis.server.layers.layer import INVOCATION_METADATA, Behavior, ServedMethod

TOKEN_KEY = "authorization"  # noqa: S105 - the name of the metadata
_SCHEME = "bearer"
_NOBODY = Person("")


class Access:
    """The layer that knows callers, and lets them call what they may."""

    def __init__(self, authentication: Authentication, *, clock: Clock) -> None:
        self._clock = clock
        self._peer = authentication.peer
        self._verify = authentication.verify

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Act before admission, so that calls which may not be made take no slots from others.

        gRPC's own services are for every peer, because TLS has verified each.
        """
        if method.is_infrastructure:
            return inner
        access = access_of(method.path)
        if method.response_streaming:
            return self._streaming(access, inner)
        return self._unary(access, inner)

    def _unary(self, access: MethodAccess, inner: Behavior) -> Behavior:
        async def allowed(request: Any, context: Context) -> Any:
            await self._admit(access, context)
            return await inner(request, context)

        return allowed

    def _streaming(self, access: MethodAccess, inner: Behavior) -> Behavior:
        async def allowed(request: Any, context: Context) -> AsyncIterator[Any]:
            person = await self._admit(access, context)
            async with aclosing(inner(request, context)) as messages:
                async for message in messages:
                    if self._clock.now().timestamp() >= person.until_s:
                        raise ExpiredTokenError
                    yield message

        return allowed

    async def _admit(self, access: MethodAccess, context: Context) -> Person:
        """Bind the caller; return the person who calls. Raises what `identity.errors` lists."""
        token = bearer_token(INVOCATION_METADATA.get())
        person = _NOBODY if token is None else await self._verify(token)
        calling = Caller(person.subject, person.roles, self._peer(context))
        caller.bind(calling)
        refused = refusal(access, calling)
        if refused is not None:
            raise refused
        if access.owner and is_customer_only(access, calling):
            LIMITED_TO.set(calling.subject)
        return person


def bearer_token(metadata: Sequence[tuple[str, str | bytes]]) -> str | None:
    """Return the token of a call's metadata; None if it has none. Raises InvalidTokenError."""
    found = [value for key, value in metadata if key == TOKEN_KEY]
    if not found:
        return None
    if len(found) > 1:
        raise InvalidTokenError("there is more than one")
    scheme, _, token = str(found[0]).partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise InvalidTokenError("metadata `authorization` must be `Bearer <token>`")
    return token.strip()
