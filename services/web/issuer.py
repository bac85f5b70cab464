"""The identity provider, as OpenID Connect describes it: its endpoints, keys and tokens."""

from typing import Any

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import StarletteIntegration, StarletteOAuth2App
from joserfc.errors import JoseError
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

from discovery.clock import Clock
from services.chassis.identity.authentication import Person
from services.chassis.identity.errors import ExpiredTokenError, InvalidTokenError
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.key_set import KeysNotReadError, fetch
from services.chassis.identity.tokens import TokenVerifier
from services.web.settings import LoginSettings

_DISCOVERY = "/.well-known/openid-configuration"
_NAME = "login"
# The variable that says where it is.
SETTING = "TRADEPOST_LOGIN_ISSUER"


class IssuerUnavailableError(Exception):
    """The identity provider doesn't answer, or not as OpenID Connect asks; `cause` says how."""

    def __init__(self, cause: str) -> None:
        super().__init__("the login is not available at the moment")
        self.cause = cause


class LoginRefusedError(Exception):
    """The answer of the identity provider proves nothing; `cause` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__("the login did not work; please start it again")
        self.cause = cause


class Issuer:
    """One identity provider. `keys` must run while the application serves."""

    def __init__(self, settings: LoginSettings, *, clock: Clock) -> None:
        self._settings = settings
        self.keys = IssuerKeys(fetch=self._fetch_keys, clock=clock, setting=SETTING)
        self._verifier = TokenVerifier(
            keys=self.keys,
            issuer=settings.token_issuer or settings.issuer,
            audience=settings.audience,
            clock=clock,
        )
        self._client = StarletteOAuth2App(
            StarletteIntegration(_NAME),
            name=_NAME,
            client_id=settings.client_id,
            client_secret=settings.client_secret or None,
            server_metadata_url=settings.issuer.rstrip("/") + _DISCOVERY,
            client_kwargs={
                "scope": "openid",
                # Made once: reading the authorities takes 50 ms, and each login would do it again.
                "verify": httpx2.create_ssl_context(),
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": (
                    "client_secret_basic" if settings.client_secret else "none"
                ),
            },
        )

    async def metadata(self) -> dict[str, Any]:
        """Return the discovery document. Raises IssuerUnavailableError."""
        try:
            found: dict[str, Any] = await self._client.load_server_metadata()
        except (httpx2.HTTPError, ValueError) as error:
            raise IssuerUnavailableError(f"{type(error).__name__}: {error}") from error
        if found.get("issuer") != self._settings.issuer:
            # OpenID Connect Discovery, section 4.3: it would be the document of somebody else.
            self._client.server_metadata.clear()
            raise IssuerUnavailableError(f"it says that it is {found.get('issuer')!r}")
        return found

    async def verify(self, token: str) -> Person:
        """Return whom an access token is about; raises as `Verify` says."""
        return await self._verifier.verify(token)

    async def redirect(self, request: Request, *, callback: str) -> Response:
        """Send the browser to the login. Raises IssuerUnavailableError."""
        await self.metadata()
        response: Response = await self._client.authorize_redirect(request, callback)
        return response

    async def finish(self, request: Request) -> tuple[Person, str]:
        """Return the person who has logged in, and their access token.

        `request` is that of the callback. Raises LoginRefusedError and IssuerUnavailableError.
        """
        metadata = await self.metadata()
        try:
            answer = await self._client.authorize_access_token(
                request,
                claims_options={
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
            )
        except (OAuthError, JoseError) as error:
            raise LoginRefusedError(str(error)) from error
        except (httpx2.HTTPError, ValueError, RuntimeError) as error:
            raise IssuerUnavailableError(f"{type(error).__name__}: {error}") from error
        return await self._person(answer)

    async def _person(self, answer: dict[str, Any]) -> tuple[Person, str]:
        """Return whom both tokens of an answer are about, and the one for services."""
        about, token = answer.get("userinfo"), answer.get("access_token")
        if not about or not isinstance(token, str):
            raise LoginRefusedError("the answer lacks an id_token or an access token")
        try:
            person = await self.verify(token)
        except (InvalidTokenError, ExpiredTokenError) as error:
            # A login that began again by itself would end here again.
            raise LoginRefusedError(f"services would refuse the access token: {error}") from error
        if person.subject != about["sub"]:
            raise LoginRefusedError("id_token and access token are about different people")
        return person, token

    async def logout_url(self, *, back_to: str) -> str:
        """Return where a person logs out of the identity provider; "" if it has no such place.

        `back_to` must be registered there (OpenID Connect RP-Initiated Logout).
        """
        try:
            endpoint = (await self.metadata()).get("end_session_endpoint", "")
        except IssuerUnavailableError:
            endpoint = ""
        if not endpoint:
            return ""
        facts = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        return str(URL(endpoint).include_query_params(**facts))

    async def _fetch_keys(self) -> bytes:
        try:
            metadata = await self.metadata()
        except IssuerUnavailableError as error:
            raise KeysNotReadError(error.cause) from error
        return await fetch(str(metadata.get("jwks_uri", "")))
