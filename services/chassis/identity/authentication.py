"""How a secure server knows who calls: the peer by its certificate, a person by a token."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.chassis.identity.peer import PeerOf


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a verified token is about; the roles are names such as "CUSTOMER".

    `until_s` is the instant, in seconds since 1970, from which the token no longer counts.
    """

    subject: str
    roles: frozenset[str] = frozenset()
    until_s: float = field(default=math.inf, compare=False)


# Verifies a token. Raises InvalidTokenError, ExpiredTokenError and KeysUnavailableError.
Verify: TypeAlias = Callable[[str], Awaitable[Person]]


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whom the server's access layer asks who calls."""

    peer: PeerOf
    verify: Verify
