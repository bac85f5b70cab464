"""What browsers are told that a page may do."""

import re

import pytest

from services.web.middleware.security_headers import HEADERS
from tests.support.web.shop_window import shop_window, web_settings

PATHS = ["/shop/", "/shop/nothing", "/shop/bug", "/shop/orders", "/mobile/v1/whoami", "/healthz"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_them(path: str) -> None:
    """Pages, errors, redirects and JSON alike; no answer about a person is kept anywhere."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get(path)

        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_nothing_inline_is_allowed() -> None:
    """The policy has neither an exception for inline scripts and styles, nor for eval."""
    policy = HEADERS["Content-Security-Policy"]

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/shop/", "/shop/nothing"])
async def test_the_pages_keep_to_the_policy(path: str) -> None:
    """They have no inline script, style or handler, and load nothing from elsewhere."""
    async with shop_window() as shop, shop.browser() as browser:
        page = (await browser.get(path)).text

        assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", page) == []
        assert re.findall(r"(?:src|href|action)=\"(?!/shop|#)", page) == []


async def test_only_a_site_with_tls_asks_for_tls_for_good() -> None:
    """Strict-Transport-Security is for an application that browsers reach by https://."""
    for public_url, is_asked in (("https://shop.example", True), ("http://127.0.0.1:8080", False)):
        async with (
            shop_window(web_settings(public_url=public_url), keeps_url=True) as shop,
            shop.browser() as browser,
        ):
            answer = await browser.get("/shop/")

            assert ("strict-transport-security" in answer.headers) == is_asked
            assert ("; Secure" in answer.headers["set-cookie"]) == is_asked


async def test_the_address_without_a_slash_leads_to_the_first_page() -> None:
    """By its path alone: the application doesn't know by which name the browser called."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get("/shop")

        assert answer.status_code == 308
        assert answer.headers["location"] == "/shop/"
