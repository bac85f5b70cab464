"""A secure service as an operator starts it: certificates in files, and the issuer's keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

from discovery.clock import SystemClock
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.certificates.authority import Authority, write
from tests.support.chassis.rich_status import refusal
from tests.support.identity.known_callers import bearer
from tests.support.suite.service_process import service_process

SKU = "milk"
ASKED = rpc.GetStockRequest(sku=SKU)


@asynccontextmanager
async def channel_of(authority: Authority, peer: str, port: int) -> AsyncIterator[grpc.aio.Channel]:
    """A channel of a peer that shows its certificate and expects an inventory."""
    own = authority.issue(peer)
    credentials = grpc.ssl_channel_credentials(own.roots, own.key, own.chain)
    options = [("grpc.ssl_target_name_override", "inventory")]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        yield channel


async def test_a_service_starts_before_its_issuer_and_then_knows_everybody(tmp_path: Path) -> None:
    """Without keys services are known and people come back later; with keys both are known."""
    authority, issuer, keys = Authority(), Issuer(clock=SystemClock()), tmp_path / "jwks.json"
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/inventory.db",
        "TRADEPOST_TLS": "files",
        **write(authority.issue("inventory"), tmp_path),
        "TRADEPOST_JWKS_URL": keys.as_uri(),
        "TRADEPOST_TOKEN_ISSUER": ISSUER,
        "TRADEPOST_TOKEN_AUDIENCE": AUDIENCE,
    }
    clerk = bearer(issuer.token("carl", "CLERK"))
    async with service_process("inventory", environment) as service:
        port = (await service.line("serving"))["port"]
        async with (
            channel_of(authority, "order", port) as order,
            channel_of(authority, "edge", port) as edge,
        ):
            by_order, by_edge = InventoryServiceStub(order), InventoryServiceStub(edge)
            assert (await refusal(by_order.GetStock(ASKED))).reason == "ITEM_NOT_FOUND"
            assert (await refusal(by_edge.GetStock(ASKED))).reason == "TOKEN_REQUIRED"
            waits = await refusal(by_edge.GetStock(ASKED, metadata=clerk))
            assert (waits.code.name, waits.reason) == ("UNAVAILABLE", "KEYS_UNAVAILABLE")

            issuer.write_jwks(keys)
            await service.line("issuer_keys_read")

            known = await refusal(by_edge.GetStock(ASKED, metadata=clerk))
            assert known.reason == "ITEM_NOT_FOUND"
        assert await service.stop() == 0

    (failed,) = [line for line in service.lines if line["event"] == "issuer_keys_not_read"]
    assert failed["setting"] == "TRADEPOST_JWKS_URL"
    assert "jwks.json" in failed["cause"]
    token = clerk[0][1].removeprefix("Bearer ")
    assert token not in str(service.lines)
    assert token.rpartition(".")[2] not in str(service.lines)
