"""SPIFFE ids name services of one trust domain."""

import pytest

import discovery
from discovery.tls.spiffe import SpiffeIds


@pytest.mark.parametrize(
    ("pattern", "spiffe_id", "service"),
    [
        ("spiffe://shop.test/{service}", "spiffe://shop.test/order", "order"),
        ("spiffe://shop.test/{service}", "spiffe://shop.test/order-v2.eu", "order-v2.eu"),
        ("spiffe://shop.test/{service}", "spiffe://other.test/order", ""),
        ("spiffe://shop.test/{service}", "spiffe://shopXtest/order", ""),
        ("spiffe://shop.test/{service}", "spiffe://shop.test/ns/order", ""),
        ("spiffe://shop.test/{service}", "spiffe://shop.test/", ""),
        ("spiffe://shop.test/{service}", "", ""),
        ("spiffe://shop.test/ns/{service}/sa/{service}", "spiffe://shop.test/ns/a/sa/a", "a"),
        ("spiffe://shop.test/ns/{service}/sa/{service}", "spiffe://shop.test/ns/a/sa/b", ""),
    ],
)
def test_an_id_names_a_service_if_it_fits_the_pattern(
    pattern: str, spiffe_id: str, service: str
) -> None:
    """An id that differs from the pattern anywhere but in the service's name names no service."""
    assert SpiffeIds(pattern).service_of(spiffe_id) == service


def test_the_own_id_tells_the_others() -> None:
    """Services are recognized by ids that differ from the own one in the last part only."""
    ids = SpiffeIds.beside("spiffe://shop.test/ns/default/sa/order")

    assert ids.service_of("spiffe://shop.test/ns/default/sa/payment") == "payment"
    assert ids.service_of("spiffe://shop.test/ns/guests/sa/payment") == ""


def test_an_id_is_made_for_a_service() -> None:
    """The id that a service must have is the pattern with its name."""
    ids = SpiffeIds("spiffe://shop.test/ns/{service}/sa/{service}")

    assert ids.id_of("order") == "spiffe://shop.test/ns/order/sa/order"


@pytest.mark.parametrize("pattern", ["spiffe://shop.test/order", "spiffe://{service}", "{service}"])
def test_a_pattern_without_a_service_is_refused(pattern: str) -> None:
    """The path of a pattern must contain the service's name."""
    with pytest.raises(discovery.InvalidCertificatesError, match="a pattern of SPIFFE ids is"):
        SpiffeIds(pattern)
