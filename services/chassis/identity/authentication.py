"""How a secure server knows who calls: the peer by its certificate, a person by a token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from services.chassis.identity.peer import PeerOf


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a verified token is about; the roles are names such as "CUSTOMER"."""

    subject: str
    roles: frozenset[str] = frozenset()


# Verifies a token. Raises InvalidTokenError, ExpiredTokenError and KeysUnavailableError.
Verify: TypeAlias = Callable[[str], Awaitable[Person]]


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whom the server's access layer asks who calls."""

    peer: PeerOf
    verify: Verify
