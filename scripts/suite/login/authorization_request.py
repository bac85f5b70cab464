"""What an application asks for when it sends a person to the login (RFC 6749, OpenID Connect)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scripts.suite.login.clients import LoginClient

# SHA-256 in base64url without padding (RFC 7636, 4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_VALUE_CHARACTERS = 2_000


class UnknownApplicationError(Exception):
    """The answer must not be sent anywhere: who asks is unknown, or the address isn't theirs."""


class LoginRefusedError(Exception):
    """The application asked for something that it doesn't get; it is told `error` (RFC 6749).

    `redirect_uri` is where the answer goes to, with the `state` that was sent.
    """

    def __init__(self, redirect_uri: str, state: str, error: str, description: str) -> None:
        super().__init__(description)
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked request; `nonce` is "" if none was sent."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str


def check(
    parameters: Iterable[tuple[str, str]], clients: Mapping[str, LoginClient]
) -> AuthorizationRequest:
    """Check the parameters of a request. Raises UnknownApplicationError and LoginRefusedError."""
    pairs = list(parameters)
    given = dict(pairs)
    client = clients.get(given.get("client_id", ""))
    if client is None:
        raise UnknownApplicationError("There is no application with this client_id.")
    redirect_uri = given.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise UnknownApplicationError("This redirect_uri is not registered for the application.")

    if len(given) < len(pairs):
        error, why = "invalid_request", "a parameter is given twice"
    elif any(len(value) > _MAX_VALUE_CHARACTERS for value in given.values()):
        error, why = "invalid_request", "a parameter is too long"
    elif given.get("response_type") != "code":
        error, why = "unsupported_response_type", "response_type must be code"
    elif "openid" not in given.get("scope", "").split():
        error, why = "invalid_scope", "scope must name openid"
    elif given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        given.get("code_challenge", "")
    ):
        error, why = "invalid_request", "PKCE is required: a code_challenge with the method S256"
    elif "none" in given.get("prompt", "").split():
        error, why = "login_required", "nobody stays logged in here"
    else:
        return AuthorizationRequest(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            state=given.get("state", ""),
            nonce=given.get("nonce", ""),
            code_challenge=given["code_challenge"],
        )
    raise LoginRefusedError(redirect_uri, given.get("state", ""), error, why)
