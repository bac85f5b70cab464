"""Paths that a proxy and a service could read in two ways."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from services.edge.contract.methods import PublicMethod
from tests.support.attempts.guarded_edge import GuardedEdge, guarded_edge
from tests.support.attempts.tricks import (
    CLOSE,
    Outcome,
    Trick,
    expect_outcomes,
    expect_outcomes_on_page,
    request,
    tried,
)
from tests.support.attempts.watched_edge import watched_edge
from tests.support.identity.known_callers import KnownCallers
from tests.support.identity.whole_suite import ALLOWED, ROLES, expected_verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
REFUSED = ("400 MALFORMED_REQUEST",)
MISSING = ("404 PATH_NOT_FOUND",)
UNKNOWN_TO_US = ("401 TOKEN_REQUIRED",)
SERVED = ("200",)
ITEMS, ORDER = ("ListItems",), ("GetOrder",)


def asked(what: str, target: str, answers: tuple[str, ...], reaches: tuple[str, ...] = ()) -> Trick:
    """A GET of a target by a customer; bytes above 127 are written as they are."""
    line = b"GET " + target.encode("latin-1")
    shown = "".join(
        each if each.isascii() and each.isprintable() else f"\\x{ord(each):02x}" for each in target
    )
    return Trick(f"{what}: `{shown}`", [request(line, CLOSE)], answers, reaches)


def unknown(target: str) -> Trick:
    """A GET of a target by a caller without a token."""
    text = f"GET {target} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n"
    return Trick(f"without a token: `{target}`", [text.encode()], UNKNOWN_TO_US)


TRICKS = [
    asked("an escaped slash", "/v1/orders/..%2fitems", REFUSED),
    asked("an escaped backslash", "/v1/orders/%5c..", REFUSED),
    asked("an escaped zero byte", "/v1/orders/x%00", REFUSED),
    asked("dots", "/v1/orders/../items", SERVED, ITEMS),
    asked("escaped dots", "/v1/orders/%2e%2e/items", SERVED, ITEMS),
    asked("dots above the root", "/v1/../../v1/items", SERVED, ITEMS),
    asked("doubled slashes", "//v1//items", SERVED, ITEMS),
    asked("a backslash", "/v1\\items", SERVED, ITEMS),
    asked("a parameter of a segment", "/v1/items;/../orders/x", SERVED, ORDER),
    asked("a semicolon behind dots", "/v1/orders/..;/items", SERVED, ITEMS),
    asked("a semicolon", "/v1/items;x=1", MISSING),
    asked("dots escaped twice", "/v1/orders/%252e%252e/items", MISSING),
    asked("a slash escaped twice is a part of an id", "/v1/orders/%252f", SERVED, ORDER),
    asked("dots in overlong UTF-8", "/v1/orders/%c0%ae%c0%ae/items", MISSING),
    asked("a slash in overlong UTF-8 is a part of an id", "/v1/orders/%c0%af", SERVED, ORDER),
    asked("bytes that are no ASCII", "/v1/orders/\xc0\xae", REFUSED),
    asked("a trailing slash", "/v1/items/", MISSING),
    asked("an empty id", "/v1/orders/", MISSING),
    asked("upper case", "/V1/ITEMS", MISSING),
    asked("an escaped verb of a path is a part of an id", "/v1/orders/x%3Awatch", SERVED, ORDER),
    asked("a fragment", "/v1/items#x", REFUSED),
    asked("a control character", "/v1/orders/\x01", REFUSED),
    asked("a space", "/v1/orders/x y", REFUSED),
    asked("no slash", "v1/items", REFUSED),
    asked("no path", "*", REFUSED),
    asked("a whole URL", "http://elsewhere.example/v1/items", SERVED, ITEMS),
    asked("a whole URL without a host", "http:///v1/items", REFUSED),
    asked("a whole URL of another scheme", "ftp://shop.example/v1/items", REFUSED),
    asked("an https URL without TLS", "https://shop.example/v1/items", REFUSED),
    asked("a verb as a parameter", "/v1/items?_method=DELETE", REFUSED),
    asked("a gRPC path by GET", "/tradepost.order.v1.OrderService/CancelOrder", MISSING),
    unknown("/openapi.json/../v1/items"),
    unknown("/openapi.json;/../v1/items"),
    unknown("/.well-known/contracts.binpb/../../v1/items"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Outcome]]:
    """Every trick, tried once for all tests."""
    async with watched_edge(tmp_path_factory.mktemp("edge")) as watched:
        yield await tried(watched, TRICKS)


async def test_a_path_is_read_in_one_way(outcomes: list[Outcome]) -> None:
    """A path that can be read in two ways is refused, or normalized before anything is decided."""
    expect_outcomes(outcomes)


async def test_the_page_shows_the_paths(outcomes: list[Outcome]) -> None:
    """The table of docs/security.md lists these paths, what was answered and who was asked."""
    expect_outcomes_on_page("paths at the edge", outcomes)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedEdge]:
    """An edge and four services that believe the same issuer."""
    async with guarded_edge(tmp_path_factory.mktemp("guarded"), CALLERS) as guarded:
        yield guarded


def spellings(method: PublicMethod) -> Iterator[str]:
    """Other ways to write a method's path, with a name in place of each variable."""
    path = method.http_path
    for name in method.variables:
        path = path.replace(f"{{{name}}}", "mallory")
    yield path.replace("/", "//")
    yield path.replace("/", "/./")
    yield f"/openapi.json/..{path}"
    yield path.replace("/v1/", "/v1/items/%2e%2e/")
    yield path.replace("/", "\\").replace("\\", "/", 1)


@pytest.mark.parametrize("roles", [(role,) for role in ROLES], ids="".join)
async def test_another_spelling_gets_the_same_verdict(
    guarded: GuardedEdge, roles: tuple[str, ...]
) -> None:
    """However a path is spelt, a person may do what the contract says, and nobody else anything."""
    headers = dict(CALLERS.person("mallory", *roles))
    async with aiohttp.ClientSession() as session:
        for method in guarded.edge.contract.methods:
            for spelling in spellings(method):
                url = URL(f"{guarded.edge.url}{spelling}", encoded=True)
                body: dict[str, str] | None = {} if method.verb == "POST" else None
                async with session.request(method.verb, url, json=body) as answer:
                    assert answer.status == 401, spelling
                async with session.request(method.verb, url, json=body, headers=headers) as answer:
                    denied = answer.status == 403
                    text = await answer.text()
                assert denied == (expected_verdict(method.path, roles) != ALLOWED), spelling
                assert "PATH_NOT_FOUND" not in text, spelling
