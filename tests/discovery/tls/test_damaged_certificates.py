"""Whatever is damaged in a certificate, reading it has one kind of error."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import discovery
from discovery.tls import x509
from tests.support.certificates.authority import Authority

# The library only warns of damage that it will refuse some day.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

GOOD = Authority().issue("order", not_after=timedelta(hours=12))


def with_one_byte_changed(pem: bytes) -> Iterator[bytes]:
    """The certificate with each of its bytes changed, one at a time."""
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    for index, byte in enumerate(der):
        for changed in (byte ^ 1, byte ^ 0x80):
            damaged = der[:index] + bytes([changed]) + der[index + 1 :]
            yield ssl.DER_cert_to_PEM_cert(damaged).encode()


def error_of(read: Any, *arguments: Any) -> str:
    """What reading says of the damage; "" if it doesn't matter here. Other errors are raised."""
    try:
        read(*arguments)
    except discovery.InvalidCertificatesError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "read", [x509.spiffe_id, x509.server_names, x509.common_name, x509.validity]
)
def test_a_damaged_certificate_is_refused_or_read(read: Any) -> None:
    """A source of certificates and a start handle this error; another one would end a service."""
    errors = {error_of(read, chain) for chain in with_one_byte_changed(GOOD.chain)}

    assert any("can't be read" in error for error in errors)


@pytest.mark.parametrize("part", ["chain", "roots"])
def test_a_damaged_part_is_found_by_the_check(part: str) -> None:
    """A running program keeps its certificates when new ones are damaged, whatever byte it is."""
    changed = with_one_byte_changed(getattr(GOOD, part))
    errors = {error_of(x509.check, replace(GOOD, **{part: pem})) for pem in changed}

    assert any("can't be read" in error for error in errors)
    assert not any("PRIVATE KEY" in error for error in errors)
