"""A real browser for tests: Chromium without a screen, which reaches this machine only.

A test file whose tests share an event loop imports the fixtures `module_browser` and `module_page`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from scripts.tools.paths import tool_path
from tests.support.limits import WAIT_S

WIDE = {"width": 1280, "height": 800}
_ARGUMENTS = (
    # Root has no sandbox.
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
# What the network or a server refused; tests that kill instances expect it.
_FAILED_REQUEST = (
    "Failed to load resource",
    "htmx: htmx:sse:error: network error",
    "htmx: htmx:error: Failed to fetch",
)


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Start Chromium; pages in different contexts share no cookie.

    After a click a page may be there in part: `expect(locator)` waits for what it asks for.
    """
    expect.set_options(timeout=WAIT_S * 1_000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=tool_path("chromium"), args=_ARGUMENTS, timeout=WAIT_S * 1_000
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened_page(browser: Browser, *, scripts: bool = True) -> AsyncIterator[Page]:
    """A page in a context of its own, as wide as a desk's; certificates are not checked.

    At the end, an error that no script caught and any that the page's console told, such as what
    its own policy refused, fail the test.
    """
    context = await browser.new_context(
        viewport=WIDE, locale="en-GB", ignore_https_errors=True, java_script_enabled=scripts
    )
    context.set_default_timeout(WAIT_S * 1_000)
    page = await context.new_page()
    faults: list[str] = []

    def on_message(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_FAILED_REQUEST):
            faults.append(message.text)

    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", on_message)
    try:
        yield page
    finally:
        await context.close()
    assert faults == [], "\n".join(faults)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_browser() -> AsyncIterator[Browser]:
    """A browser for all tests of a file."""
    async with running_browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def module_page(module_browser: Browser) -> AsyncIterator[Page]:
    """A page of a new visitor."""
    async with opened_page(module_browser) as opened:
        yield opened
