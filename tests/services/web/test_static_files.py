"""Scripts and styles: what is vendored is what its authors published, and pages stay light."""

import hashlib
import json
import re

import httpx2
import pytest

from services.web.static_files import OWN_FILES, StaticFiles
from tests.support.web.shop_window import shop_window

VENDORED = OWN_FILES / "vendor"
PACKAGES = json.loads((VENDORED / "vendored.json").read_text())["packages"]
MAX_PAGE_BYTES = 120_000
# What a page has of its own, and an application's own script and style.
OWN_BYTES = 14_000


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_vendored_files_are_as_published(package: dict[str, dict[str, dict[str, str]]]) -> None:
    """Each has the hash that it had when the package's own hash was checked."""
    assert set(package) == {"name", "version", "license", "integrity", "files"}
    for name, file in package["files"].items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == file["sha256"]


def test_every_vendored_file_says_where_it_is_from() -> None:
    """No script without a name, a version and a hash."""
    stated = {name for package in PACKAGES for name in package["files"]}
    there = {path.name for path in VENDORED.iterdir() if path.suffix in {".js", ".css"}}

    assert there == stated


def test_the_heaviest_page_is_light() -> None:
    """With all scripts and styles of this folder, 120 KB leave room for the page itself."""
    files = [path for path in OWN_FILES.rglob("*") if path.suffix in {".js", ".css", ".svg"}]

    assert sum(path.stat().st_size for path in files) + OWN_BYTES <= MAX_PAGE_BYTES


async def weight(browser: httpx2.AsyncClient, path: str) -> int:
    """The bytes of a page with all that it loads."""
    page = await browser.get(path)
    loaded = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.text)
    assert loaded
    answers = [await browser.get(each) for each in loaded]
    assert {each.status_code for each in answers} == {200}
    return sum(len(each.content) for each in (page, *answers))


async def test_a_page_loads_only_what_it_needs() -> None:
    """A page without plots and streams takes half of the limit."""
    async with shop_window() as shop, shop.browser() as browser:
        assert await weight(browser, "/shop/") <= MAX_PAGE_BYTES / 2


async def test_a_file_is_kept_for_as_long_as_it_stays_the_same() -> None:
    """Its address has its hash: browsers never ask again, and get the next version at once."""
    async with shop_window() as shop, shop.browser() as browser:
        address = StaticFiles([OWN_FILES], prefix="/shop").address("base.css")
        exact = await browser.get(address)
        stale = await browser.get(address.replace("?v=", "?v=0"))

        assert exact.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert stale.headers["cache-control"] == "no-cache"
        assert exact.headers["content-type"].startswith("text/css")
        assert "set-cookie" not in exact.headers


async def test_only_scripts_styles_and_pictures_are_served() -> None:
    """What else lies beside them stays here."""
    async with shop_window() as shop, shop.browser() as browser:
        for name in ("vendor/vendored.json", "vendor/uplot.LICENSE", "%2e%2e/settings.py"):
            assert (await browser.get(f"/shop/static/{name}")).status_code == 404
