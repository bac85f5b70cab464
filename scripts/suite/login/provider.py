"""The provider's endpoints: discovery, the login page, tokens, keys and logout (OpenID Connect).

    app = login_provider(url, clients, issuer=issuer, clock=clock, new_code=...)

The access token is the one that the issuer signs for the services; the ID token names this
provider as its issuer, and the application as its audience.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from discovery.clock import Clock
from scripts.suite.issuer import ALGORITHM, VALID_S, Issuer
from scripts.suite.login.authorization_codes import AuthorizationCodes, CodeRefusedError, Grant
from scripts.suite.login.authorization_request import (
    AuthorizationRequest,
    LoginRefusedError,
    UnknownApplicationError,
    check,
)
from scripts.suite.login.clients import LoginClient
from scripts.suite.login.persons import SUGGESTED, NoSuchPersonError, chosen
from scripts.suite.secure.credentials import roles

HOST = "127.0.0.1"
_PAGES = Path(__file__).with_name("pages")
_NOT_KEPT = {"Cache-Control": "no-store"}


def login_provider(
    url: str,
    clients: Mapping[str, LoginClient],
    *,
    issuer: Issuer,
    clock: Clock,
    new_code: Callable[[], str],
) -> Starlette:
    """The application that serves the provider at `url` (`http://127.0.0.1:PORT`)."""
    provider = _Provider(url, clients, issuer, AuthorizationCodes(clock=clock, new_code=new_code))
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.configuration),
            Route("/authorize", provider.authorize, methods=["GET", "POST"]),
            Route("/token", provider.token, methods=["POST"]),
            Route("/jwks", provider.jwks),
            Route("/end_session", provider.end_session, methods=["GET", "POST"]),
            Route("/login.css", provider.style),
        ],
        # A page of elsewhere can't reach it under a name that leads to this machine.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST])],
    )


class _Provider:
    def __init__(
        self,
        url: str,
        clients: Mapping[str, LoginClient],
        issuer: Issuer,
        codes: AuthorizationCodes,
    ) -> None:
        self._url = url
        self._clients = clients
        self._issuer = issuer
        self._codes = codes
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PAGES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )

    async def configuration(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self._url,
                "authorization_endpoint": f"{self._url}/authorize",
                "token_endpoint": f"{self._url}/token",
                "jwks_uri": f"{self._url}/jwks",
                "end_session_endpoint": f"{self._url}/end_session",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid"],
                "claims_supported": ["iss", "aud", "sub", "roles", "nonce", "iat", "exp"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(self._issuer.jwks())

    async def style(self, request: Request) -> Response:
        return FileResponse(_PAGES / "login.css")

    async def authorize(self, request: Request) -> Response:
        """Ask who the person is; once they have chosen, send them back with a code."""
        try:
            asked = check(request.query_params.multi_items(), self._clients)
        except UnknownApplicationError as error:
            return self._message("This login can't begin", str(error), HTTPStatus.BAD_REQUEST)
        except LoginRefusedError as error:
            told = {"error": error.error, "error_description": error.description}
            return _sent_to(error.redirect_uri, {**told, "state": error.state})
        if request.method == "GET":
            return self._question(request, asked)
        async with request.form() as form:
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            person = chosen(given)
        except NoSuchPersonError as error:
            return self._question(request, asked, fault=str(error))
        code = self._codes.issue(Grant(asked, person.subject, person.role))
        return _sent_to(asked.redirect_uri, {"code": code, "state": asked.state})

    async def token(self, request: Request) -> Response:
        """Exchange a code for an access token and an ID token."""
        async with request.form() as form:
            pairs = form.multi_items()
        given = {name: value for name, value in pairs if isinstance(value, str)}
        if len(given) < len(pairs):
            return _refusal("invalid_request", "a parameter is given twice")
        if given.get("client_id", "") not in self._clients:
            return _refusal("invalid_client", "there is no application with this client_id")
        if given.get("grant_type") != "authorization_code":
            return _refusal("unsupported_grant_type", "grant_type must be authorization_code")
        try:
            grant = self._codes.redeem(
                given.get("code", ""),
                client_id=given["client_id"],
                redirect_uri=given.get("redirect_uri", ""),
                verifier=given.get("code_verifier", ""),
            )
        except CodeRefusedError as error:
            return _refusal("invalid_grant", str(error))
        return JSONResponse(self._tokens(grant), headers=_NOT_KEPT)

    async def end_session(self, request: Request) -> Response:
        """Send the person on after a logout; nobody stays logged in here, so nothing ends."""
        given = dict(request.query_params)
        if request.method == "POST":
            async with request.form() as form:
                given |= {name: value for name, value in form.items() if isinstance(value, str)}
        address = given.get("post_logout_redirect_uri")
        if any(address in client.after_logout_uris for client in self._clients.values()):
            return _sent_to(str(address), {"state": given.get("state", "")})
        return self._message("You are logged out", "You can close this page.", HTTPStatus.OK)

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        asked = grant.request
        about: dict[str, Any] = {"iss": self._url, "aud": asked.client_id}
        if asked.nonce:
            about["nonce"] = asked.nonce
        return {
            "access_token": self._issuer.token(grant.subject, grant.role),
            "id_token": self._issuer.token(grant.subject, grant.role, **about),
            "token_type": "Bearer",
            "expires_in": int(VALID_S),
            "scope": "openid",
        }

    def _question(
        self, request: Request, asked: AuthorizationRequest, *, fault: str | None = None
    ) -> Response:
        page = self._pages.get_template("who_are_you.html").render(
            action=f"/authorize?{request.url.query}",
            application=asked.client_id,
            persons=SUGGESTED,
            roles=roles(),
            fault=fault,
        )
        status = HTTPStatus.OK if fault is None else HTTPStatus.BAD_REQUEST
        # A browser applies the policy of forms to where the answer sends it, too.
        back = urlsplit(asked.redirect_uri)
        return _page(page, status, forms=f"'self' {back.scheme}://{back.netloc}")

    def _message(self, title: str, text: str, status: HTTPStatus) -> Response:
        page = self._pages.get_template("message.html").render(title=title, text=text)
        return _page(page, status, forms="'none'")


def _page(page: str, status: HTTPStatus, *, forms: str) -> Response:
    policy = f"default-src 'none'; style-src 'self'; form-action {forms}; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", **_NOT_KEPT}
    return HTMLResponse(page, status, headers)


def _sent_to(address: str, parameters: Mapping[str, str]) -> Response:
    """Send the browser to a registered address with those parameters that have a value."""
    query = urlencode({name: value for name, value in parameters.items() if value})
    joint = "&" if urlsplit(address).query else "?"
    target = f"{address}{joint}{query}" if query else address
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, _NOT_KEPT)


def _refusal(error: str, description: str) -> Response:
    status = HTTPStatus.UNAUTHORIZED if error == "invalid_client" else HTTPStatus.BAD_REQUEST
    told = {"error": error, "error_description": description}
    return JSONResponse(told, status, _NOT_KEPT)
