"""Login at a real identity provider over a socket, and what happens when somebody cheats."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from scripts.suite.issuer import Issuer
from tests.support.web.shop_window import (
    ShopWindow,
    add_to_basket,
    basket,
    csrf_of,
    shop_window,
    sign_in,
)
from tests.support.web.small_issuer import SmallIssuer


async def is_signed_in(browser: httpx2.AsyncClient) -> bool:
    """Whether the session knows who somebody is."""
    return (await browser.get("/shop/whoami")).json()["subject"] is not None


async def callback_of(shop: ShopWindow, browser: httpx2.AsyncClient) -> str:
    """Begin a login, and return the address to which the provider sends the browser."""
    begun = await browser.get("/shop/login")
    chosen = await browser.get(begun.headers["location"])
    return str(chosen.headers["location"])


async def test_a_person_signs_in_and_arrives_where_they_wanted_to() -> None:
    """A page that needs a person leads to the login, and the login back to that page."""
    async with shop_window() as shop, shop.browser() as browser:
        refused = await browser.get("/shop/orders?state=open&page=2")
        begun = await browser.get(refused.headers["location"])
        chosen = await browser.get(begun.headers["location"])
        arrived = await browser.get(chosen.headers["location"])

        assert (refused.status_code, arrived.status_code) == (303, 303)
        assert arrived.headers["location"] == "/shop/orders?state=open&page=2"
        assert (await browser.get(arrived.headers["location"])).status_code == 200


async def test_calls_carry_the_persons_token() -> None:
    """Services are told who asks by the access token, and the application knows the roles."""
    async with shop_window() as shop, shop.browser() as browser:
        shop.issuer.roles = ("CUSTOMER", "CLERK")
        await sign_in(browser)

        who = (await browser.get("/shop/whoami")).json()
        assert (who["subject"], who["roles"]) == ("900", ["CLERK", "CUSTOMER"])
        assert who["metadata"]["authorization"].startswith("Bearer ey")


async def test_the_application_asks_as_openid_connect_says() -> None:
    """Code flow, PKCE with S256, a state, a nonce, and the address by which browsers know us."""
    async with shop_window() as shop, shop.browser() as browser:
        asked = parse_qs(urlsplit((await browser.get("/shop/login")).headers["location"]).query)

        assert asked["response_type"] == ["code"]
        assert asked["scope"] == ["openid"]
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [f"{shop.url}/shop/login/callback"]
        assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 20


async def test_a_basket_from_before_the_login_is_kept() -> None:
    """Whoever signs in to check out still has what they chose."""
    async with shop_window() as shop, shop.browser() as browser:
        await add_to_basket(browser, "tea")
        await sign_in(browser)

        assert basket(await browser.get("/shop/")) == "tea"


@pytest.mark.parametrize("state", ["wrong", "", None])
async def test_a_callback_that_this_browser_did_not_begin_is_refused(state: str | None) -> None:
    """Otherwise somebody could be signed in as another person without noticing."""
    async with shop_window() as shop, shop.browser() as browser, shop.browser() as attacker:
        await browser.get("/shop/login")
        code = parse_qs(urlsplit(await callback_of(shop, attacker)).query)["code"][0]
        sent = {"code": code} if state is None else {"code": code, "state": state}
        answer = await browser.get("/shop/login/callback", params=sent)

        assert answer.status_code == 400
        assert not await is_signed_in(browser)


async def test_the_callback_of_somebody_else_is_refused() -> None:
    """A whole link of another browser's login, with its code and its state, signs nobody in."""
    async with shop_window() as shop, shop.browser() as browser, shop.browser() as attacker:
        await browser.get("/shop/login")
        answer = await browser.get(await callback_of(shop, attacker))

        assert answer.status_code == 400
        assert not await is_signed_in(browser)


async def test_a_code_works_once() -> None:
    """The same callback again is refused here, because its state was used."""
    async with shop_window() as shop, shop.browser() as browser:
        address = await callback_of(shop, browser)

        assert (await browser.get(address)).status_code == 303
        assert (await browser.get(address)).status_code == 400


async def test_a_stolen_code_is_worth_nothing() -> None:
    """A code put into a login of one's own fails at the provider, for want of the verifier."""
    async with shop_window() as shop, shop.browser() as browser, shop.browser() as thief:
        stolen = parse_qs(urlsplit(await callback_of(shop, browser)).query)["code"][0]
        begun = parse_qs(urlsplit((await thief.get("/shop/login")).headers["location"]).query)
        sent = {"code": stolen, "state": begun["state"][0]}
        answer = await thief.get("/shop/login/callback", params=sent)

        assert answer.status_code == 400
        assert not await is_signed_in(thief)


async def test_a_person_who_says_no_gets_a_page() -> None:
    """The provider's error doesn't end as a bug of ours, and its text is not shown."""
    async with shop_window() as shop, shop.browser() as browser:
        begun = parse_qs(urlsplit((await browser.get("/shop/login")).headers["location"]).query)
        sent = {
            "error": "access_denied",
            "error_description": "<script>alert(1)</script>",
            "state": begun["state"][0],
        }
        answer = await browser.get("/shop/login/callback", params=sent)

        assert answer.status_code == 400
        assert "alert(1)" not in answer.text


@pytest.mark.parametrize(
    ("of_id", "of_access", "answer"),
    [
        ({"nonce": "of another login"}, {}, {}),
        ({"iss": "https://other.example"}, {}, {}),
        ({"aud": "another application"}, {}, {}),
        ({"aud": "another application", "azp": "storefront"}, {}, {}),
        ({"exp": 1_000_000_000}, {}, {}),
        ({"sub": "901"}, {}, {}),
        ({}, {"sub": "901"}, {}),
        ({}, {"aud": "another api"}, {}),
        ({}, {"iss": "https://other.example"}, {}),
        ({}, {"exp": 1_000_000_000}, {}),
        ({}, {"roles": "CUSTOMER"}, {}),
        ({}, {}, {"id_token": None}),
        ({}, {}, {"id_token": "not.a.token"}),
        ({}, {}, {"access_token": "opaque"}),
        ({}, {}, {"access_token": None}),
    ],
)
async def test_tokens_that_prove_nothing_sign_nobody_in(
    of_id: dict[str, Any], of_access: dict[str, Any], answer: dict[str, Any]
) -> None:
    """Each claim that OpenID Connect and the services ask for is checked."""
    async with shop_window() as shop, shop.browser() as browser:
        shop.issuer.id_claims, shop.issuer.access_claims = of_id, of_access
        shop.issuer.answer = answer

        assert (await sign_in(browser)).status_code == 400
        assert not await is_signed_in(browser)


async def test_a_token_signed_by_somebody_else_signs_nobody_in() -> None:
    """The keys that the provider publishes decide, not the key that a token names."""
    async with shop_window() as shop, shop.browser() as browser:
        stranger = SmallIssuer(Issuer(clock=shop.clock), shop.clock, url=shop.issuer.url)
        shop.issuer.answer = {"access_token": stranger.access_token()}

        assert (await sign_in(browser)).status_code == 400
        assert not await is_signed_in(browser)


async def test_keys_may_be_replaced_while_the_application_runs() -> None:
    """A token under a new key is understood at once."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        shop.issuer.issuer.rotate()
        shop.issuer.issuer.retire()
        async with shop.browser() as another:
            assert (await sign_in(another)).headers["location"] == "/shop/orders"


async def test_a_provider_that_is_another_one_is_not_believed() -> None:
    """Its discovery document must name the issuer of the settings."""
    async with shop_window() as shop, shop.browser() as browser:
        shop.issuer.says_it_is = "https://other.example"
        answer = await browser.get("/shop/login")
        shop.issuer.says_it_is = ""

        assert answer.status_code == 503
        assert (await browser.get("/shop/login")).status_code == 302


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/shop/",
        "//evil.example/shop/",
        "/\\evil.example",
        "/shop/\\evil.example",
        "\\/evil.example",
        "/shopping",
        "/console/",
        "javascript:alert(1)",
        "/shop/\r\nset-cookie: a=b",
        "/shop/\tx",
        " /shop/orders",
        "/shop/" + "x" * 600,
        "",
    ],
)
async def test_the_login_leads_nowhere_else(wanted: str) -> None:
    """A link to our login can't be used to send people to another site."""
    async with shop_window() as shop, shop.browser() as browser:
        arrived = await sign_in(browser, wanted=wanted)

        assert arrived.status_code == 303
        assert arrived.headers["location"] == "/shop/"
        assert "set-cookie" in arrived.headers
        assert "a=b" not in arrived.headers["set-cookie"]


async def test_a_session_ends_with_its_token() -> None:
    """From then on the services would refuse it, so the application asks for a login before."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        shop.clock.moved_s = 3_600 + 31
        answer = await browser.get("/shop/orders")

        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/shop/login?next=")
        assert not await is_signed_in(browser)


async def test_roles_decide_which_pages_people_see() -> None:
    """A customer isn't sent to the login again for a page of the staff, but told."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        assert (await browser.get("/shop/staff")).status_code == 403

        shop.issuer.roles = ("OPERATOR",)
        await sign_in(browser)
        assert (await browser.get("/shop/staff")).status_code == 200


async def test_signing_out_forgets_everything() -> None:
    """The session ends here and at the provider, which sends people back."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        form = {"csrf_token": await csrf_of(browser)}
        answer = await browser.post("/shop/logout", data=form)

        place = urlsplit(answer.headers["location"])
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{shop.issuer.url}/end_session?")
        assert parse_qs(place.query)["post_logout_redirect_uri"] == [f"{shop.url}/shop"]
        assert not await is_signed_in(browser)
        assert "storefront_session" not in browser.cookies


async def test_a_link_can_not_sign_people_out() -> None:
    """A picture of another site with this address does nothing."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)

        assert (await browser.get("/shop/logout")).status_code == 405
        assert await is_signed_in(browser)


async def test_a_program_is_known_by_its_bearer_token() -> None:
    """Where no session is, the token is verified as services do it."""
    async with shop_window() as shop, shop.browser() as program:
        token = shop.issuer.access_token()
        headers = {"authorization": f"Bearer {token}"}
        answer = await program.get("/mobile/v1/whoami", headers=headers)

        assert answer.json()["subject"] == "900"
        assert answer.json()["metadata"] == {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c"])
async def test_a_program_without_a_good_token_is_refused(authorization: str) -> None:
    """It gets JSON, and no cookie and no redirect."""
    async with shop_window() as shop, shop.browser() as program:
        headers = {"authorization": authorization} if authorization else {}
        answer = await program.get("/mobile/v1/whoami", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == 16
