"""What a login doesn't do again each time."""

import ssl

import pytest

from tests.support.web.shop_window import shop_window, sign_in


async def test_a_login_reads_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom to trust is read once: it takes 50 ms, in which nobody else would be served."""
    async with shop_window() as shop, shop.browser() as browser:
        monkeypatch.delattr(ssl, "create_default_context")
        await sign_in(browser)

        assert (await browser.get("/shop/whoami")).json()["subject"] is not None
