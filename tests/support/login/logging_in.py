"""A browser and an application in one: asks for a login, chooses a person, fetches the tokens."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx2

from scripts.suite.login.authorization_codes import challenge_of
from scripts.suite.login.clients import LoginClient

SHOP = LoginClient(
    "storefront",
    ("http://127.0.0.1:8080/shop/login/callback",),
    ("http://127.0.0.1:8080/shop",),
)
CONSOLE = LoginClient("console", ("http://127.0.0.1:8080/console/login/callback",))
VERIFIER = "a-verifier-of-the-shop-that-nobody-else-can-know"


@dataclass(slots=True)
class LoggingIn:
    """Takes the steps of a login one by one; `request` can be changed before the first one."""

    http: httpx2.AsyncClient
    request: dict[str, str] = field(
        default_factory=lambda: {
            "response_type": "code",
            "client_id": SHOP.client_id,
            "redirect_uri": SHOP.redirect_uris[0],
            "scope": "openid",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
    )

    async def page(self) -> httpx2.Response:
        """The page on which a person chooses, or the refusal."""
        return await self.http.get("/authorize", params=self.request)

    async def choose(self, **form: str) -> httpx2.Response:
        """The answer to what a person chose."""
        return await self.http.post("/authorize", params=self.request, data=form)

    async def code(self, **form: str) -> str:
        """The code with which the browser is sent back."""
        (code,) = sent_back(await self.choose(**(form or {"person": "CUSTOMER ann"})))["code"]
        return code

    async def token(self, code: str, **other: str) -> httpx2.Response:
        """The answer to an application that exchanges a code; `other` replaces what it sends."""
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.request["redirect_uri"],
            "client_id": self.request["client_id"],
            "code_verifier": VERIFIER,
        }
        return await self.http.post("/token", data={**sent, **other})


def sent_back(answer: httpx2.Response) -> dict[str, list[str]]:
    """The parameters with which an answer sends the browser back to the shop."""
    target = answer.headers["location"]
    assert answer.status_code == 303
    assert target.startswith(SHOP.redirect_uris[0])
    return parse_qs(urlsplit(target).query)


def buttons(page: str) -> list[str]:
    """Whom the page offers."""
    return re.findall(r'<button name="person" value="([^"]+)"', page)
