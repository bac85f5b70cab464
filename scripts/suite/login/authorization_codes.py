"""Codes that an application exchanges for tokens: short-lived, for one use, bound to who asked."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from discovery.clock import Clock
from scripts.suite.login.authorization_request import AuthorizationRequest

LIFETIME_S = 60.0
MAX_CODES = 1_000
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class CodeRefusedError(Exception):
    """The code is unknown, used, too old, or for somebody else."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for: the request, and who the person said they are."""

    request: AuthorizationRequest
    subject: str
    role: str


class AuthorizationCodes:
    """The codes that can be redeemed; `new_code` makes one that nobody can guess."""

    def __init__(self, *, clock: Clock, new_code: Callable[[], str]) -> None:
        self._clock = clock
        self._new_code = new_code
        # By code, the oldest first: the grant, and when it ends.
        self._grants: dict[str, tuple[Grant, float]] = {}

    def issue(self, grant: Grant) -> str:
        """A new code. Beyond MAX_CODES the oldest is forgotten."""
        if len(self._grants) >= MAX_CODES:
            del self._grants[next(iter(self._grants))]
        code = self._new_code()
        self._grants[code] = (grant, self._clock.monotonic() + LIFETIME_S)
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """The grant behind a code. Raises CodeRefusedError.

        A try that fails uses up the code as well: whoever guesses has one guess.
        """
        grant, until_s = self._grants.pop(code, (None, 0.0))
        if grant is None or self._clock.monotonic() >= until_s:
            raise CodeRefusedError("the code is unknown, was used, or is too old")
        asked = grant.request
        if (client_id, redirect_uri) != (asked.client_id, asked.redirect_uri):
            raise CodeRefusedError("the code is for another client_id or redirect_uri")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
            challenge_of(verifier), asked.code_challenge
        ):
            raise CodeRefusedError("the code_verifier is not that of the code_challenge")
        return grant


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
