"""An application's own source of certificates, as docs/client.md shows it."""

import asyncio
import re
from typing import Any

import pytest

import discovery
from discovery import blocking
from scripts.tools.paths import ROOT
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.certificates.tls_server import WHO, tls_server
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import subchannels

AUTHORITY = Authority()


class Vault:
    """An authority that signs a certificate each time, and can't be reached while it is closed."""

    def __init__(self) -> None:
        self.closed = False

    async def issue(self) -> discovery.Certificates:
        """A new certificate of the service "payment"."""
        if self.closed:
            raise ConnectionRefusedError("the vault is closed")
        return AUTHORITY.issue("payment")


def documented(clock: discovery.Clock, vault: Vault) -> Any:
    """The source of the documentation, which asks the vault every hour."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/client.md").read_text(), re.DOTALL)
    (text,) = (block for block in blocks if "class IssuedCertificates" in block)
    defined: dict[str, Any] = {}
    exec(text, defined)
    return defined["IssuedCertificates"](
        AUTHORITY.issue("payment"),
        vault.issue,
        every_s=3_600,
        clock=clock,
        trust_domain=AUTHORITY.trust_domain,
    )


async def test_both_drivers_call_with_a_source_of_one_s_own() -> None:
    """The server knows the caller by the certificate, and the caller checks the server's name."""
    source: discovery.CertificateSource = documented(ManualClock(), Vault())
    assert source.service_of("spiffe://shop.test/order") == "order"
    assert source.service_of("spiffe://other.test/order") == ""

    async with tls_server(MemoryCertificates(AUTHORITY.issue("order"))) as server:
        target = f"static:///{server.address}"

        def ask() -> bytes:
            with blocking.open_channel(target, authority="order", certificates=source) as channel:
                answer: bytes = channel.unary_unary(WHO)(b"")
                return answer

        assert await asyncio.to_thread(ask) == b"payment"
        async with discovery.open_channel(
            target, authority="order", certificates=source
        ) as channel:
            assert await channel.unary_unary(WHO)(b"") == b"payment"


async def test_a_channel_follows_a_source_of_one_s_own(caplog: pytest.LogCaptureFixture) -> None:
    """An hour later its connections are replaced; while the vault is closed, they stay."""
    clock, vault = ManualClock(), Vault()
    source = documented(clock, vault)
    first = source.current
    async with (
        tls_server(MemoryCertificates(AUTHORITY.issue("order"))) as server,
        discovery.open_channel(
            f"static:///{server.address}", authority="order", certificates=source
        ) as channel,
    ):
        call = channel.unary_unary(WHO)
        assert await call(b"") == b"payment"
        (old,) = subchannels(channel)
        vault.closed = True
        await clock.advance(3_600)
        assert "the vault is closed" in caplog.text
        assert (subchannels(channel), source.current) == ([old], first)

        vault.closed = False
        await clock.advance(3_600)
        while subchannels(channel) == [old]:
            await channel._balancer.change()
        assert await call(b"") == b"payment"
