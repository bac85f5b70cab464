"""An error of the shop is a page of the shop."""

import random

import httpx2
from cryptography.fernet import Fernet

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.storefront.application import storefront
from services.storefront.settings import StorefrontSettings
from services.web.services import open_services
from services.web.settings import LoginSettings, WebSettings
from tests.support.web.shop_window import NOWHERE


async def test_an_error_is_a_page_of_the_shop() -> None:
    """It has the style, the navigation and the footer of all other pages."""
    clock, rng = SystemClock(), random.Random(7)
    async with open_services(NOWHERE, clock=clock, rng=rng) as services:
        app = storefront(
            StorefrontSettings(),
            web=WebSettings(session_keys=Fernet.generate_key().decode()),
            login=LoginSettings(issuer="http://127.0.0.1:1", client_id="storefront"),
            services=services,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
        )
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as browser:
            page = await browser.get("/shop/nothing")

    assert page.status_code == 404
    assert "/shop/static/shop.css" in page.text
    assert 'href="/shop/basket"' in page.text
    assert "nothing is shipped" in page.text
