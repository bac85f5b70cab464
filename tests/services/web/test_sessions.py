"""A session is an encrypted cookie: only the application reads it, and nobody else changes it."""

import base64

import pytest
from cryptography.fernet import Fernet

from services.web.session import MAX_COOKIE_BYTES, SESSION_S, SessionCookie, SessionTooLargeError
from tests.support.clock.manual_clock import ManualClock
from tests.support.web.shop_window import add_to_basket, basket, shop_window, sign_in, web_settings

COOKIE = "storefront_session"


def cookie_of(
    *keys: str, clock: ManualClock | None = None, is_https: bool = False
) -> SessionCookie:
    """A cookie with these keys."""
    return SessionCookie(
        "s", path="/shop", keys=keys, is_https=is_https, clock=clock or ManualClock()
    )


def value_of(header: str) -> str:
    """The value that a header stores."""
    return header.partition("=")[2].partition(";")[0]


async def test_a_session_survives_a_restart_and_another_instance() -> None:
    """A basket filled at one instance is there at another one with the same keys."""
    settings = web_settings()
    async with shop_window(settings) as first, first.browser() as browser:
        await add_to_basket(browser, "tea")
        cookies = dict(browser.cookies)
    async with shop_window(settings, issuer=first.issuer) as second, second.browser() as browser:
        browser.cookies.update(cookies)

        assert basket(await browser.get("/shop/")) == "tea"


async def test_the_cookie_is_for_this_application_alone() -> None:
    """Scripts can't read it, other sites don't make browsers send it, other paths never get it."""
    async with shop_window() as shop, shop.browser() as browser:
        stored = (await browser.get("/shop/")).headers["set-cookie"]

        attributes = {each.strip() for each in stored.split(";")[1:]}
        assert attributes == {"Path=/shop", f"Max-Age={SESSION_S}", "HttpOnly", "SameSite=Lax"}
        assert "set-cookie" not in (await browser.get("/healthz")).headers


async def test_nothing_in_the_cookie_can_be_read() -> None:
    """The token of a person is not in it, neither plainly nor in base64."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        token = (await browser.get("/shop/whoami")).json()["metadata"]["authorization"][7:]

        stored = browser.cookies[COOKIE]
        assert token not in stored
        assert token.encode() not in base64.urlsafe_b64decode(stored)


async def test_a_cookie_that_somebody_changed_counts_as_none() -> None:
    """Each character of it is covered by the signature."""
    async with shop_window() as shop, shop.browser() as browser:
        await add_to_basket(browser, "tea")
        stored = browser.cookies[COOKIE]
        middle = len(stored) // 2
        changed = stored[:middle] + ("A" if stored[middle] != "A" else "B") + stored[middle + 1 :]
        for forged in (changed, stored[:-9], "", "%00", "x"):
            async with shop.browser() as other_browser:
                answer = await other_browser.get("/shop/", headers={"cookie": f"{COOKIE}={forged}"})

            assert answer.status_code == 200
            assert basket(answer) == ""


async def test_a_page_that_changes_nothing_sends_no_cookie() -> None:
    """So answers to several requests at once don't overwrite each other."""
    async with shop_window() as shop, shop.browser() as browser:
        await browser.get("/shop/")

        assert "set-cookie" not in (await browser.get("/shop/")).headers


async def test_an_empty_session_removes_the_cookie() -> None:
    """Whoever clears the session leaves nothing in the browser."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        home = await browser.get("/shop/")
        token = home.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        await browser.post("/shop/basket/clear", data={"csrf_token": token})

        assert COOKIE not in browser.cookies


async def test_an_old_session_ends() -> None:
    """Twelve hours after it was stored, a cookie counts as none, also if a browser keeps it."""
    clock, key = ManualClock(), Fernet.generate_key().decode()
    value = value_of(cookie_of(key, clock=clock).header({"basket": ["tea"]}))

    await clock.advance(SESSION_S)
    assert cookie_of(key, clock=clock).read(value) == {"basket": ["tea"]}
    await clock.advance(1)
    assert cookie_of(key, clock=clock).read(value) == {}


def test_keys_can_be_replaced_while_sessions_go_on() -> None:
    """The first key encrypts, all decrypt; under a key that was removed, a session is none."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    before = value_of(cookie_of(old).header({"n": 1}))
    during = value_of(cookie_of(new, old).header({"n": 2}))

    assert cookie_of(new, old).read(before) == {"n": 1}
    assert cookie_of(new).read(during) == {"n": 2}
    assert cookie_of(new).read(before) == {}


def test_over_tls_the_cookie_goes_nowhere_else() -> None:
    """Its name makes browsers refuse it from a page without TLS (RFC 6265bis, 4.1.3.1)."""
    header = cookie_of(Fernet.generate_key().decode(), is_https=True).header({"n": 1})

    assert header.startswith("__Secure-s=")
    assert header.endswith("; Secure")


def test_a_session_that_no_browser_would_keep_is_an_error() -> None:
    """The error says how long it is, how long it may be, and what the token takes of it."""
    cookie = cookie_of(Fernet.generate_key().decode())
    user = {"token": "t" * 3_500}

    with pytest.raises(
        SessionTooLargeError, match=rf"{MAX_COOKIE_BYTES}; the access .* 3500 bytes"
    ):
        cookie.header({"user": user})


async def test_a_session_that_does_not_fit_gets_a_page_that_says_so() -> None:
    """Not a sign-in that silently doesn't hold; the page itself arrives."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get("/shop/long")

        assert answer.status_code == 500
        assert f"browsers keep {MAX_COOKIE_BYTES}" in answer.text
        assert (await browser.get("/shop/")).status_code == 200


async def test_people_with_a_long_token_learn_that_it_is_too_long() -> None:
    """A login whose token doesn't fit fails, and says why and who can change it."""
    async with shop_window() as shop, shop.browser() as browser:
        shop.issuer.access_claims = {"groups": ["a group with a long name"] * 100}
        answer = await sign_in(browser)

        assert answer.status_code == 500
        assert "have the identity provider put fewer claims into access tokens" in answer.text


async def test_the_next_person_finds_nothing_of_the_one_before() -> None:
    """Somebody went away without signing out; they themselves would find their basket again."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        await add_to_basket(browser, "tea")
        shop.clock.moved_s = SESSION_S / 2
        assert (await browser.get("/shop/whoami")).json()["subject"] is None
        shop.clock.moved_s = 0
        await sign_in(browser)
        assert basket(await browser.get("/shop/")) == "tea"
        shop.issuer.subject = "901"
        await sign_in(browser)

        assert (await browser.get("/shop/whoami")).json()["subject"] == "901"
        assert basket(await browser.get("/shop/")) != "tea"
