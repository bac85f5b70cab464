"""An identity provider that is correct by default, and wrong where a test asks for it.

Whoever comes to /authorize is sent back at once as `subject`.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from discovery.clock import Clock
from scripts.suite.issuer import Issuer
from tests.support.web.asgi_server import asgi_server, listener

CLIENT_ID = "storefront"


@dataclass(slots=True)
class SmallIssuer:
    """What it answers can be changed while it serves.

    `id_claims` and `access_claims` are added to the tokens, or replace those of the same name; so
    is `answer` to what /token answers, where None removes.
    """

    issuer: Issuer
    clock: Clock
    url: str = ""
    subject: str = "900"
    roles: tuple[str, ...] = ("CUSTOMER",)
    says_it_is: str = ""
    id_claims: dict[str, Any] = field(default_factory=dict)
    access_claims: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    requests: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/jwks", self.jwks),
            ]
        )

    async def configuration(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.says_it_is or self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "end_session_endpoint": f"{self.url}/end_session",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        is_right = (
            asked["client_id"] == CLIENT_ID
            and asked["response_type"] == "code"
            and asked["code_challenge_method"] == "S256"
            and asked["scope"] == "openid"
        )
        if not is_right:
            return PlainTextResponse("not right", status_code=400)
        code = f"code-{next(self.numbers)}"
        self.requests[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=303)

    async def token(self, request: Request) -> Response:
        async with request.form() as sent:
            asked = self.requests.pop(str(sent.get("code", "")), None)
            verifier = hashlib.sha256(str(sent.get("code_verifier", "")).encode()).digest()
            is_right = (
                asked is not None
                and sent.get("grant_type") == "authorization_code"
                and sent.get("client_id") == asked["client_id"]
                and sent.get("redirect_uri") == asked["redirect_uri"]
                and base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
                == asked["code_challenge"]
            )
        if asked is None or not is_right:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        answer = {
            "token_type": "Bearer",
            "access_token": self.access_token(),
            "id_token": self.id_token(asked["nonce"]),
            **self.answer,
        }
        return JSONResponse({name: value for name, value in answer.items() if value is not None})

    async def jwks(self, _: Request) -> Response:
        return JSONResponse(self.issuer.jwks())

    def access_token(self) -> str:
        """A token for the services."""
        claims = {"iss": self.url, **self.access_claims}
        return self.issuer.token(self.subject, *self.roles, **claims)

    def id_token(self, nonce: str) -> str:
        """A token for the application."""
        claims = {"iss": self.url, "aud": CLIENT_ID, "nonce": nonce, **self.id_claims}
        return self.issuer.token(self.subject, **claims)


@asynccontextmanager
async def small_issuer(clock: Clock) -> AsyncIterator[SmallIssuer]:
    """Serve one until the block ends."""
    small, bound = SmallIssuer(Issuer(clock=clock), clock), listener()
    small.url = "http://127.0.0.1:{1}".format(*bound.getsockname())
    async with asgi_server(small.app(), bound):
        yield small
