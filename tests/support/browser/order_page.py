"""The page of an order in the shop, which must follow the order without being loaded again."""

import re
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.support.limits import WAIT_S

_VERSIONS = (
    "[...document.querySelectorAll('#timeline [data-version]')].map(e => +e.dataset.version)"
)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page on which the browser stays."""

    page: Page

    @classmethod
    async def opened(cls, page: Page) -> "OrderPage":
        """The page to which the browser was led; remembers that it is this one."""
        # Not `wait_for_url`: it fails when a double click ends the loading of its first page.
        await expect(page).to_have_url(re.compile("/shop/orders/ord_[^/]*$"))
        await page.wait_for_load_state()
        await page.evaluate("window.isTheSamePage = true")
        return cls(page)

    @property
    def order_id(self) -> str:
        """The order in the address."""
        return self.page.url.partition("?")[0].rpartition("/")[2]

    async def until(self, state: str) -> None:
        """Wait until the page shows a state, such as "CONFIRMED"; it was not loaded again."""
        shown = self.page.locator(f"#order [data-state={state}]")
        await shown.wait_for(timeout=WAIT_S * 1_000)
        assert await self.page.evaluate("window.isTheSamePage === true")

    async def versions(self) -> list[int]:
        """The versions in the story that the page tells, in its order."""
        told: list[int] = await self.page.evaluate(_VERSIONS)
        return told
