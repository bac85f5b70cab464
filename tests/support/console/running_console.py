"""A console in front of a running suite, and people who look at it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2
from cryptography.fernet import Fernet

from discovery.tls.certificates import CertificateSource
from scripts.suite.cluster import SERVICES, Cluster
from services.chassis.ids import IdFactory
from services.console.application import NAME, console
from services.console.pages.viewer import PREFIX
from services.console.settings import ConsoleSettings
from services.web.services import open_services
from services.web.serving import running
from services.web.session import SessionCookie
from services.web.settings import LoginSettings, TargetSettings, WebSettings
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import CLOCK, POLL_S

CSRF = "the token of the session"
_KEY = Fernet.generate_key().decode()
_LOGIN = LoginSettings(issuer="http://127.0.0.1:9", client_id="console")


@dataclass(frozen=True)
class Visitor:
    """A person's browser, already signed in."""

    http: httpx2.AsyncClient

    async def page(self, path: str, **query: str) -> httpx2.Response:
        """Look at a page below the console's prefix."""
        return await self.http.get(f"{PREFIX}/{path}", params=query, follow_redirects=True)

    async def send(
        self, path: str, number: int, values: Mapping[str, str], *, reason: str = "it must be"
    ) -> httpx2.Response:
        """Send a form; the same `number` is the same form."""
        form = {
            "csrf_token": CSRF,
            "request_id": str(UUID(int=number, version=4)),
            "reason": reason,
            "back": f"{PREFIX}/books",
            **values,
        }
        return await self.http.post(f"{PREFIX}/{path}", data=form, follow_redirects=True)


@asynccontextmanager
async def running_console(
    suite: Cluster, *, certificates: CertificateSource | None = None
) -> AsyncIterator[str]:
    """Serve the console in this process, with channels like those of its own; yields its URL."""
    web = WebSettings(session_keys=_KEY, drain_s=0)
    rng = random.Random(11)
    ids = IdFactory(clock=CLOCK, rng=rng)
    targets = TargetSettings(**{f"{name}_target": suite.target(name) for name in SERVICES})
    async with open_services(
        targets, clock=CLOCK, rng=rng, certificates=certificates, watcher=suite.registry
    ) as services:
        app = console(
            ConsoleSettings(),
            web=web,
            login=_LOGIN,
            services=services,
            registry=suite.registry,
            clock=CLOCK,
            ids=ids,
            rng=rng,
        )
        async with running(app, web, name=NAME, clock=CLOCK, ids=ids, rng=rng) as port:
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def visitor(
    url: str, subject: str = "olga", *roles: str, token: str = ""
) -> AsyncIterator[Visitor]:
    """A person with roles, OPERATOR if none are named."""
    cookie = SessionCookie(f"{NAME}_session", path=PREFIX, keys=[_KEY], is_https=False, clock=CLOCK)
    user = {
        "subject": subject,
        "roles": list(roles or ("OPERATOR",)),
        "token": token,
        "until_s": CLOCK.now().timestamp() + 3_600,
    }
    header = cookie.header({"user": user, "csrf_token": CSRF})
    name, _, value = header.partition(";")[0].partition("=")
    cookies = httpx2.Cookies()
    cookies.set(name, value, domain="127.0.0.1", path=PREFIX)
    async with httpx2.AsyncClient(
        base_url=url, cookies=cookies, timeout=WAIT_S, trust_env=False
    ) as http:
        yield Visitor(http)


async def text_of(person: Visitor, path: str, **query: str) -> str:
    """The text of a page that answers."""
    answer = await person.page(path, **query)
    assert answer.status_code == 200
    return answer.text


async def shown(look: Callable[[], Awaitable[str]], text: str) -> str:
    """Look at a page again and again until it shows a text."""
    async with asyncio.timeout(WAIT_S):
        while text not in (page := await look()):
            await CLOCK.sleep(POLL_S)
    return page
