"""TRADEPOST_EDGE_PAGES: which web applications are at which paths."""

import pytest

from services.chassis.environment import SettingError, read
from services.edge.contract.contract import read as read_contract
from services.edge.edge import check_applications
from services.edge.resources.resources import resources
from services.edge.settings import EdgeSettings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("/shop=storefront", {"/shop": "storefront"}),
        (
            " /shop=storefront , /mobile/v1=storefront,",
            {"/shop": "storefront", "/mobile/v1": "storefront"},
        ),
    ],
)
def test_paths_and_applications_are_listed(text: str, found: dict[str, str]) -> None:
    """An application may have several paths; without the setting there is none."""
    assert dict(EdgeSettings(pages=text).applications) == found


@pytest.mark.parametrize(
    "text",
    [
        "shop=storefront",
        "/=storefront",
        "/shop/=storefront",
        "/shop",
        "/shop=",
        "/Shop=storefront",
        "/shop=store front",
        "/shop/../console=storefront",
        "/shop=storefront,/shop=console",
        "/shop=storefront;/console=console",
    ],
)
def test_a_wrong_path_or_name_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The error names the variable."""
    monkeypatch.setenv("TRADEPOST_EDGE_PAGES", text)

    with pytest.raises(SettingError, match="TRADEPOST_EDGE_PAGES"):
        read(EdgeSettings)


def test_a_service_of_the_contracts_is_no_web_application() -> None:
    """Its instances speak gRPC, and its name is taken."""
    with pytest.raises(SettingError, match="order is a service of the contracts"):
        check_applications(EdgeSettings(pages="/shop=order"), read_contract())
    check_applications(EdgeSettings(pages="/shop=storefront"), read_contract())


def test_an_application_has_a_cluster_and_endpoints() -> None:
    """Without the setting there are those of the contract's services alone."""
    contract = read_contract()
    without, with_pages = (
        resources({}, contract, EdgeSettings(pages=pages)) for pages in ("", "/shop=storefront")
    )

    assert set(with_pages.clusters) - set(without.clusters) == {"storefront"}
    assert set(with_pages.endpoints) - set(without.endpoints) == {"storefront"}
