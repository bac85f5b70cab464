"""A page says what happened and what to do; a program gets the same as JSON."""

import asyncio
import json

import grpc
import pytest

from tests.support.web.refusing_service import refusing_service
from tests.support.web.shop_window import shop_window, sign_in

# What people get for what a service answered: status, whether to come back, the service's words.
PAGES = [
    ("NOT_FOUND", 404, False, True),
    ("PERMISSION_DENIED", 403, False, True),
    ("INVALID_ARGUMENT", 400, False, True),
    ("OUT_OF_RANGE", 400, False, True),
    ("FAILED_PRECONDITION", 409, False, True),
    ("ABORTED", 409, False, True),
    ("ALREADY_EXISTS", 409, False, True),
    ("RESOURCE_EXHAUSTED", 429, True, False),
    ("UNAVAILABLE", 503, True, False),
    ("DEADLINE_EXCEEDED", 503, True, False),
    ("INTERNAL", 500, False, False),
    ("UNKNOWN", 500, False, False),
    ("DATA_LOSS", 500, False, False),
    ("UNIMPLEMENTED", 500, False, False),
    ("CANCELLED", 500, False, False),
]


def test_every_code_is_in_the_table() -> None:
    """Only OK is no failure, and UNAUTHENTICATED leads to the login instead of to a page."""
    assert {code for code, *_ in PAGES} == {
        each.name for each in grpc.StatusCode if each.name not in {"OK", "UNAUTHENTICATED"}
    }


@pytest.mark.parametrize(("code", "status", "comes_back", "quotes"), PAGES)
async def test_every_status_of_a_service_has_a_page(
    code: str,
    status: int,
    comes_back: bool,  # noqa: FBT001 - columns of the table
    quotes: bool,  # noqa: FBT001
) -> None:
    """A refusal is shown in the service's words; a failure in ours, and with when to come back."""
    async with (
        refusing_service() as refusing,
        shop_window(refusing=refusing) as shop,
        shop.browser() as browser,
    ):
        text = f"{code} the tea <b>is</b> cold"
        page = await browser.get("/shop/refused", params={"with": text})
        answer = await browser.get("/mobile/v1/refused", params={"with": text})

        assert page.status_code == answer.status_code == status
        assert ("retry-after" in page.headers) == ("retry-after" in answer.headers) == comes_back
        assert ("the tea &lt;b&gt;is&lt;/b&gt; cold" in page.text) == quotes
        assert ("the tea <b>is</b> cold" in answer.json()["message"]) == quotes
        assert "<h1>" in page.text
        assert page.headers["x-correlation-id"] in page.text


async def test_json_has_the_form_of_the_edges_errors() -> None:
    """A google.rpc.Status with one ErrorInfo, whose reason is the service's."""
    async with (
        refusing_service() as refusing,
        shop_window(refusing=refusing) as shop,
        shop.browser() as program,
    ):
        answer = await program.get("/mobile/v1/refused", params={"with": "NOT_FOUND no order"})

        assert answer.json() == {
            "code": grpc.StatusCode.NOT_FOUND.value[0],
            "message": "no order",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "NOT_FOUND_REASON",
                    "domain": "test",
                    "metadata": {"correlation_id": answer.headers["x-correlation-id"]},
                }
            ],
        }


async def test_a_token_that_a_service_refuses_leads_to_the_login() -> None:
    """The session is over, and the person comes back to the page they wanted."""
    async with (
        refusing_service() as refusing,
        shop_window(refusing=refusing) as shop,
        shop.browser() as browser,
    ):
        await sign_in(browser)
        shop.clock.moved_s = 60
        answer = await browser.get("/shop/refused", params={"with": "UNAUTHENTICATED no"})

        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/shop/login?next=/shop/refused%3Fwith%3D")
        assert (await browser.get("/shop/whoami")).json()["subject"] is None


async def test_nobody_goes_round_in_circles() -> None:
    """A token that is refused right after the login would be refused again: there is a page."""
    async with (
        refusing_service() as refusing,
        shop_window(refusing=refusing) as shop,
        shop.browser() as browser,
    ):
        await sign_in(browser)
        answer = await browser.get("/shop/refused", params={"with": "UNAUTHENTICATED no"})

        assert answer.status_code == 401
        assert 'href="/shop/login"' in answer.text


async def test_a_part_of_a_page_leads_the_whole_page_to_the_login() -> None:
    """Htmx must not put the login page of another site into ours."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get("/shop/orders", headers={"hx-request": "true"})

        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/shop/login?next=/shop/orders"
        assert answer.text == ""


async def test_an_address_that_cannot_be_read_is_none() -> None:
    """Anybody may send any header; the person is led back to what they asked for."""
    async with shop_window() as shop, shop.browser() as browser:
        headers = {"hx-request": "true", "hx-current-url": "http://["}
        answer = await browser.get("/shop/orders", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/shop/login?next=/shop/orders"


async def test_after_the_login_a_part_is_seen_in_its_page() -> None:
    """People come back to the page that asked for the part, not to the part alone."""
    async with shop_window() as shop, shop.browser() as browser:
        sent = {"hx-request": "true", "hx-current-url": f"{shop.url}/shop/?page=2"}
        answer = await browser.get("/shop/orders", headers=sent)

        assert answer.headers["hx-redirect"] == "/shop/login?next=/shop/%3Fpage%3D2"


async def test_an_unknown_address_has_a_page() -> None:
    """And a program gets JSON, also where it asks for a page's address."""
    async with shop_window() as shop, shop.browser() as browser:
        for path in ("/shop/nothing", "/shop/static/nothing.js", "/shop/static/../../settings.py"):
            page = await browser.get(path)
            assert page.status_code == 404
            assert "There is nothing here" in page.text
        for path, accept in (("/mobile/v1/x", "*/*"), ("/shop/x", "application/json"), ("/x", "")):
            answer = await browser.get(path, headers={"accept": accept})
            assert answer.json()["code"] == grpc.StatusCode.NOT_FOUND.value[0]


async def test_a_wrong_method_has_a_page() -> None:
    """Nothing but HTML below the prefix, whatever refuses."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get("/shop/basket")

        assert answer.status_code == 405
        assert "Method Not Allowed" in answer.text


async def test_a_bug_is_logged_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The log has the error under the number that the person sees; the page has no more of it."""
    async with shop_window() as shop, shop.browser() as browser:
        answer = await browser.get("/shop/bug")

        assert answer.status_code == 500
        assert "hunter2" not in answer.text
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [line for line in lines if line["event"] == "request_failed"]
    assert [line["correlation_id"] for line in logged] == [answer.headers["x-correlation-id"]]
    assert "hunter2" in logged[0]["exception"]
    assert logged[0]["correlation_id"] in answer.text


async def test_a_browser_that_leaves_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever closes the page while a form is sent leaves no error in the log."""
    async with shop_window() as shop:
        host, port = shop.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /shop/basket HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nsku=")
        await writer.drain()
        writer.close()

    assert "request_failed" not in capsys.readouterr().out
    assert shop.pages.placed == []


async def test_the_correlation_of_the_edge_is_kept() -> None:
    """One id in the edge's log, in ours and in the services'; an unusable one is replaced."""
    async with shop_window() as shop, shop.browser() as browser:
        sent = {"tradepost-correlation-id": "cor_of_the_edge"}
        assert (await browser.get("/shop/", headers=sent)).headers["x-correlation-id"] == (
            "cor_of_the_edge"
        )
        bad = {"tradepost-correlation-id": "x" * 129}
        made = (await browser.get("/shop/", headers=bad)).headers["x-correlation-id"]
        assert made.startswith("cor_")
