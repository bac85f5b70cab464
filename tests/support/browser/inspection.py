"""Looks at a page: for accessibility faults, on a phone and on a desk, in light and in dark."""

from functools import cache
from pathlib import Path
from typing import Literal

from playwright.async_api import Page

from scripts.tools.paths import ROOT

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
SCREENS = ROOT / ".run" / "screens"
WIDTHS = (390, 1280)
_HEIGHT = 844
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_SERIOUS = frozenset({"serious", "critical"})


async def examined(page: Page, name: str) -> list[str]:
    """Keep pictures of the page; return its serious faults and where it doesn't fit."""
    await screenshots(page, name)
    wide = [f"scrolls sideways at {width}" for width in await scrolls_sideways(page)]
    return [*wide, *await serious_faults(page)]


async def serious_faults(page: Page) -> list[str]:
    """What axe finds serious or critical, in light and in dark: rule, element and advice."""
    faults: list[str] = []
    try:
        for scheme in _SCHEMES:
            # A colour on its way from one to the other is no fault.
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = await _violations(page)
            faults += [f"{scheme}: {fault}" for fault in found]
    finally:
        await page.emulate_media(color_scheme="null", reduced_motion="null")
    return faults


async def scrolls_sideways(page: Page) -> list[int]:
    """The widths, of a phone and a desk, at which a reader must scroll sideways."""
    before = page.viewport_size
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": _HEIGHT})
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(width)
    if before is not None:
        await page.set_viewport_size(before)
    return found


async def screenshots(page: Page, name: str) -> list[Path]:
    """Keep the whole page as four pictures `NAME-WIDTH-SCHEME.png` in `.run/screens`."""
    before = page.viewport_size
    kept = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": _HEIGHT})
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            file = SCREENS / f"{name}-{width}-{scheme}.png"
            await page.screenshot(path=file, full_page=True, animations="disabled")
            kept.append(file)
    await page.emulate_media(color_scheme="null")
    if before is not None:
        await page.set_viewport_size(before)
    return kept


async def _violations(page: Page) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_axe())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} at {' '.join(node['target'])}: {violation['help']}"
        for violation in found["violations"]
        if violation["impact"] in _SERIOUS
        for node in violation["nodes"]
    ]


@cache
def _axe() -> str:
    # Ends in a value that the browser can hand out.
    return AXE.read_text() + "\n;true"
