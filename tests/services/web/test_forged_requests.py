"""A request that changes something is answered only if it comes from a form of ours."""

import httpx2
import pytest

from services.web.csrf import MAX_FORM_BYTES
from tests.support.web.shop_window import add_to_basket, csrf_of, shop_window, sign_in


async def test_a_form_of_ours_is_taken() -> None:
    """The hidden field that every form has is enough, and it stays good for the next form."""
    async with shop_window() as shop, shop.browser() as browser:
        assert (await add_to_basket(browser, "tea")).status_code == 303
        assert (await add_to_basket(browser, "milk")).status_code == 303

        assert shop.pages.placed == ["tea", "milk"]


async def test_a_script_of_ours_sends_the_token_as_a_header() -> None:
    """So a page may also send what is no form."""
    async with shop_window() as shop, shop.browser() as browser:
        headers = {"x-csrf-token": await csrf_of(browser)}
        answer = await browser.post("/shop/basket", data={"sku": "tea"}, headers=headers)

        assert answer.status_code == 303


@pytest.mark.parametrize("token", ["", "guessed", "ünicode", "a" * 10_000])
async def test_a_form_of_another_site_is_refused(token: str) -> None:
    """The browser sends the cookie with it, but the form lacks the session's token."""
    async with shop_window() as shop, shop.browser() as browser:
        await csrf_of(browser)
        answer = await browser.post("/shop/basket", data={"sku": "tea", "csrf_token": token})

        assert answer.status_code == 403
        assert "Nothing has been done" in answer.text
        assert shop.pages.placed == []


async def test_the_token_of_another_session_is_refused() -> None:
    """Everybody can get a token of their own, which is good for their own session only."""
    async with shop_window() as shop, shop.browser() as browser, shop.browser() as attacker:
        await csrf_of(browser)
        form = {"sku": "tea", "csrf_token": await csrf_of(attacker)}

        assert (await browser.post("/shop/basket", data=form)).status_code == 403
        assert shop.pages.placed == []


async def test_a_request_without_a_session_is_refused() -> None:
    """No token and no session are not the same token."""
    async with shop_window() as shop, shop.browser() as browser:
        for form in ({"sku": "tea"}, {"sku": "tea", "csrf_token": ""}):
            assert (await browser.post("/shop/basket", data=form)).status_code == 403
            assert (await browser.post("/shop/logout", data=form)).status_code == 403

        assert shop.pages.placed == []


async def test_a_login_makes_a_new_token() -> None:
    """A token that somebody saw before the login is worth nothing after it."""
    async with shop_window() as shop, shop.browser() as browser:
        before = await csrf_of(browser)
        await sign_in(browser)

        form = {"sku": "tea", "csrf_token": before}
        assert (await browser.post("/shop/basket", data=form)).status_code == 403
        assert before != await csrf_of(browser)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FORGED"])
async def test_every_method_that_may_change_something_is_checked(method: str) -> None:
    """Also one that no endpoint serves: the check comes before."""
    async with shop_window() as shop, shop.browser() as browser:
        await csrf_of(browser)

        assert (await browser.request(method, "/shop/basket")).status_code == 403


async def test_a_long_body_is_refused_before_it_is_read() -> None:
    """Nobody can have the application keep megabytes that no form has."""
    async with shop_window() as shop, shop.browser() as browser:
        form = {"csrf_token": await csrf_of(browser), "sku": "x" * MAX_FORM_BYTES}
        answer = await browser.post("/shop/basket", data=form)

        assert answer.status_code == 413
        assert shop.pages.placed == []


async def test_programs_need_no_token_of_a_form() -> None:
    """They show a bearer token instead, which no browser adds by itself."""
    async with shop_window() as shop, shop.browser() as program:
        headers = {"authorization": f"Bearer {shop.issuer.access_token()}"}
        answer = await program.post("/mobile/v1/basket", data={"sku": "tea"}, headers=headers)

        assert answer.status_code == 303
        assert "set-cookie" not in answer.headers


async def test_forms_are_refused_where_no_session_is() -> None:
    """Elsewhere a cookie counts for nothing, so a form of another site does nothing for anybody."""
    async with shop_window() as shop, shop.browser() as browser:
        await sign_in(browser)
        answer = await browser.get("/mobile/v1/whoami", headers=_with_cookies(browser))

        assert answer.status_code == 401


def _with_cookies(browser: httpx2.AsyncClient) -> dict[str, str]:
    """The cookies as a header, which no browser would send there."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
