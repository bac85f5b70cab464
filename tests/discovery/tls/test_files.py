"""Certificates are read from files, and again when a matching set of files has changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import discovery
from tests.support.certificates.authority import Authority
from tests.support.clock.manual_clock import ManualClock

AUTHORITY = Authority()
PARTS = ("chain", "key", "roots")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the certificates of the service "order"."""
    write(tmp_path, AUTHORITY.issue("order"))
    return tmp_path


def write(folder: Path, certificates: discovery.Certificates, *parts: str) -> None:
    """Write the files of a set of certificates, or some of them."""
    for part in parts or PARTS:
        (folder / part).write_bytes(getattr(certificates, part))


def files(folder: Path, clock: discovery.Clock, **options: Any) -> discovery.FileCertificates:
    """The source that reads the folder."""
    return discovery.FileCertificates(
        certificate_file=folder / "chain",
        key_file=folder / "key",
        roots_file=folder / "roots",
        clock=clock,
        **options,
    )


async def test_changed_files_are_read_again(folder: Path) -> None:
    """Who waits gets the new certificates once all of their files are there."""
    clock = ManualClock()
    source = files(folder, clock)
    first, renewed = source.current, AUTHORITY.issue("order")
    waiting = asyncio.create_task(source.changed(first))

    write(folder, renewed)
    await clock.advance(1.0)

    assert await waiting == renewed
    assert source.current == renewed


@pytest.mark.parametrize("damage", [lambda pem: pem[: len(pem) // 2], lambda _: b"", None])
@pytest.mark.parametrize("part", PARTS)
async def test_files_that_cannot_be_used_change_nothing(
    folder: Path,
    part: str,
    damage: Callable[[bytes], bytes] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file that is half written, empty or missing keeps the certificates that were read before.

    Why is logged once, without the key.
    """
    clock = ManualClock()
    source = files(folder, clock)
    before = source.current
    waiting = asyncio.create_task(source.changed(before))
    if damage is None:
        (folder / part).unlink()
    else:
        (folder / part).write_bytes(damage(getattr(before, part)))

    for _ in range(2):
        await clock.advance(1.0)

    assert source.current == before
    (record,) = caplog.records
    assert str(folder / part) in record.message
    assert "the certificates that were read before stay" in record.message
    assert before.key.splitlines()[1].decode() not in record.message
    renewed = AUTHORITY.issue("order")
    write(folder, renewed)
    await clock.advance(1.0)
    assert await waiting == renewed


async def test_a_certificate_waits_for_its_key(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A new certificate is used together with its key, never with the key before."""
    clock = ManualClock()
    source = files(folder, clock)
    before, renewed = source.current, AUTHORITY.issue("order")
    waiting = asyncio.create_task(source.changed(before))

    write(folder, renewed, "chain")
    await clock.advance(1.0)
    assert source.current == before
    assert "the private key isn't that of the certificate" in caplog.text

    write(folder, renewed, "key")
    await clock.advance(1.0)
    assert await waiting == renewed


async def test_the_certificate_of_another_service_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a running program's files costs nothing until the certificate ends."""
    clock = ManualClock()
    source = files(folder, clock)
    before = source.current
    waiting = asyncio.create_task(source.changed(before))

    write(folder, AUTHORITY.issue("payment"))
    await clock.advance(1.0)
    assert source.current == before
    assert "its SPIFFE id is 'spiffe://shop.test/payment', not" in caplog.text

    renewed = AUTHORITY.issue("order")
    write(folder, renewed)
    await clock.advance(1.0)
    assert await waiting == renewed


def test_files_that_cannot_be_used_at_first_are_refused(tmp_path: Path) -> None:
    """A program doesn't start with certificates that can't be used; the error names the file."""
    with pytest.raises(discovery.InvalidCertificatesError, match=r"chain: No such file"):
        files(tmp_path, ManualClock())
    write(tmp_path, AUTHORITY.issue("order"))
    write(tmp_path, AUTHORITY.issue("order"), "key")
    with pytest.raises(discovery.InvalidCertificatesError, match="isn't that of the certificate"):
        files(tmp_path, ManualClock())


def test_services_are_named_by_patterns(folder: Path) -> None:
    """A server's certificate carries the service's name; a peer is known by its SPIFFE id."""
    source = files(folder, ManualClock())
    assert source.server_name("payment") == "payment"
    assert source.service_of("spiffe://shop.test/payment") == "payment"
    assert source.service_of("spiffe://other.test/payment") == ""

    named = files(
        folder,
        ManualClock(),
        server_names="{service}.shop.internal",
        spiffe_ids="spiffe://other.test/sa/{service}",
    )
    assert named.server_name("payment") == "payment.shop.internal"
    assert named.service_of("spiffe://other.test/sa/payment") == "payment"
    assert named.service_of("spiffe://shop.test/payment") == ""


def test_without_a_spiffe_id_nobody_is_recognized(tmp_path: Path) -> None:
    """A process whose certificate has no SPIFFE id knows no trust domain, so it knows no peer."""
    write(tmp_path, AUTHORITY.issue("order", spiffe_id=""))

    assert files(tmp_path, ManualClock()).service_of("spiffe://shop.test/payment") == ""


def test_a_pattern_of_server_names_contains_the_service(folder: Path) -> None:
    """Otherwise every service would have the same name."""
    with pytest.raises(discovery.InvalidCertificatesError, match="a pattern of server names"):
        files(folder, ManualClock(), server_names="shop.internal")
