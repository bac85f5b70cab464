"""Reflection describes every symbol of a running service, as v1 and as v1alpha."""

from pathlib import Path

from tests.support.suite.programs import buf_curl, grpcurl
from tests.support.suite.service_process import service_process

SERVICE = "tradepost.inventory.v1.InventoryService"
SYMBOLS = (
    f"{SERVICE}.GetStock",
    f"{SERVICE}.ReserveStock",
    "tradepost.inventory.v1.GetStockRequest",
    "tradepost.inventory.v1.GetStockRequest.sku",
    "tradepost.inventory.v1.ReservationState",
    "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
)


async def test_every_symbol_is_described(tmp_path: Path) -> None:
    """Listed services, their methods, messages, fields and enums; an unknown one is NOT_FOUND."""
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/inventory.db"}
    async with service_process("inventory", environment) as service:
        address = f"127.0.0.1:{(await service.line('serving'))['port']}"
        listed = (await grpcurl(address, "list")).out.split()
        methods = [
            method
            for name in listed
            for method in (await grpcurl(address, "list", name)).out.split()
        ]
        failed = [
            symbol
            for symbol in (*listed, *methods, *SYMBOLS)
            if (await grpcurl(address, "describe", symbol)).code
        ]
        unknown = await grpcurl(address, "describe", f"{SERVICE}.Nothing")
        called = [
            await buf_curl(
                *("--http2-prior-knowledge", "--reflect", "--reflect-protocol", protocol),
                *("--data", "{}", f"http://{address}/grpc.health.v1.Health/Check"),
            )
            for protocol in ("grpc-v1", "grpc-v1alpha")
        ]

    assert {SERVICE, "grpc.reflection.v1.ServerReflection"} <= set(listed)
    assert failed == []
    assert "not found" in unknown.err
    assert [(each.code, "SERVING" in each.out) for each in called] == [(0, True)] * 2
