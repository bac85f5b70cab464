"""What tests of pages stand on: the browser sees what is there, and what is wrong with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Error, Page

from tests.support.browser import inspection
from tests.support.browser.browser_page import module_browser, module_page, opened_page
from tests.support.browser.inspection import (
    WIDTHS,
    screenshots,
    scrolls_sideways,
    serious_faults,
)

__all__ = ["module_browser", "module_page"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

Show = Callable[[Page, str], Awaitable[None]]

GOOD = "<h1>Shop</h1><p>Two apples</p><label>Number <input></label><button>Buy</button>"
STYLE = """
html { background: #fff; color: #000 }
.pale { color: var(--pale) }
:root { --pale: #555 }
@media (prefers-color-scheme: dark) {
  html { background: #000; color: #fff }
  :root { --pale: #333 }
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def show() -> AsyncIterator[Show]:
    """Shows a page with a body of the test, behind the strict policy of the web applications."""
    body = ""

    async def answer(request: web.Request) -> web.Response:
        document = (
            '<!doctype html><html lang="en"><head><title>Shop</title><link rel="stylesheet"'
            f' href="/style.css"></head><body><main>{body}</main></body></html>'
        )
        policy = {"content-security-policy": "default-src 'self'"}
        return web.Response(text=document, content_type="text/html", headers=policy)

    async def style(request: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css")

    app = web.Application()
    app.add_routes([web.get("/", answer), web.get("/style.css", style)])
    async with TestServer(app) as server:

        async def opened(page: Page, text: str) -> None:
            nonlocal body
            body = text
            await page.goto(str(server.make_url("/")))

        yield opened


async def test_a_page_without_faults_has_none(module_page: Page, show: Show) -> None:
    """A page that everybody can use passes, behind a policy that forbids inline script."""
    await show(module_page, GOOD)

    assert await serious_faults(module_page) == []
    assert await scrolls_sideways(module_page) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<img src='/style.css'>", "image-alt"),
        ("<input>", "label"),
        ("<button></button>", "button-name"),
    ],
)
async def test_a_page_that_some_can_not_use_is_found(
    module_page: Page, show: Show, text: str, rule: str
) -> None:
    """A fault is named with its rule and its element."""
    await show(module_page, GOOD + text)

    assert any(
        fault.startswith(f"light: {rule} at ") for fault in await serious_faults(module_page)
    )


async def test_text_that_only_dark_mode_hides_is_found(module_page: Page, show: Show) -> None:
    """Contrast is looked at in both colours."""
    await show(module_page, f'{GOOD}<p class="pale">Sold out</p>')

    (fault,) = await serious_faults(module_page)
    assert fault.startswith("dark: color-contrast at .pale")


async def test_a_page_that_is_too_wide_for_a_phone_is_found(module_page: Page, show: Show) -> None:
    """A word of a thousand letters fits on no screen of ours; one of sixty fits on a desk's."""
    await show(module_page, f"{GOOD}<p>{'m' * 60}</p>")
    assert await scrolls_sideways(module_page) == [390]

    await show(module_page, f"{GOOD}<p>{'m' * 1_000}</p>")
    assert await scrolls_sideways(module_page) == [390, 1280]


async def test_a_page_is_kept_as_four_pictures(
    module_page: Page, show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture has the width in its name, and the dark ones are others than the light ones."""
    monkeypatch.setattr(inspection, "SCREENS", tmp_path)
    await show(module_page, GOOD)

    files = await screenshots(module_page, "shop")

    pictures = {file.name: file.read_bytes() for file in files}
    assert set(pictures) == {f"shop-{w}-{s}.png" for w in WIDTHS for s in ("light", "dark")}
    for name, picture in pictures.items():
        assert picture.startswith(b"\x89PNG")
        # The header of a PNG begins with its width.
        assert int.from_bytes(picture[16:20], "big") == int(name.split("-")[1])
    assert len(set(pictures.values())) == len(pictures)


async def test_what_the_policy_of_a_page_refuses_fails_the_test(
    module_browser: Browser, show: Show
) -> None:
    """An inline script that the policy refuses would do nothing, and nobody would notice."""
    with pytest.raises(AssertionError, match="Content Security Policy"):
        async with opened_page(module_browser) as page:
            await show(page, f"{GOOD}<script>document.title = 'other'</script>")


async def test_the_browser_reaches_this_machine_only(module_page: Page) -> None:
    """Names of elsewhere lead nowhere."""
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await module_page.goto("http://example.com/")


async def test_visitors_share_no_cookie(module_browser: Browser, show: Show) -> None:
    """Two pages are two people."""
    async with opened_page(module_browser) as one, opened_page(module_browser) as other:
        await show(one, GOOD)
        await one.evaluate("document.cookie = 'who=ann'")
        await show(other, GOOD)

        assert await one.evaluate("document.cookie") == "who=ann"
        assert await other.evaluate("document.cookie") == ""


async def test_a_page_can_be_read_without_scripts(module_browser: Browser, show: Show) -> None:
    """A browser that runs no script shows what a page says without them."""
    async with opened_page(module_browser, scripts=False) as page:
        await show(page, "<noscript>Without scripts</noscript>")

        assert await page.inner_text("main") == "Without scripts"
