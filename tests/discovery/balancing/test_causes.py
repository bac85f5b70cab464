"""An error says why there is no instance, in gRPC's words where there are any."""

import grpc
import pytest
from grpc import StatusCode

import discovery
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    NOT_SERVING,
    Open,
    Refusal,
    Start,
    failed,
    path,
    ready,
)

NO_LISTENER = "127.0.0.1:1"


@pytest.mark.parametrize("config", [None, {"healthCheckConfig": False}])
async def test_a_refused_connection_is_named(config: object) -> None:
    """The cause is in the call's details and in the explanation."""
    options = {"service_config": config}
    async with discovery.open_channel(f"static:///{NO_LISTENER}", **options) as channel:  # type: ignore[arg-type]
        with pytest.raises(discovery.NoInstanceError, match="Connection refused"):
            await channel.unary_unary(path("Post"))(b"x")

        assert "Connection refused" in (channel.explain().instances[0].cause or "")


async def test_a_call_that_waits_for_ready_names_what_it_waited_for() -> None:
    """The cause is also in the error of a deadline that passed meanwhile."""
    async with discovery.open_channel(f"static:///{NO_LISTENER}") as channel:
        call = channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=2.0)

        assert await call.code() is StatusCode.DEADLINE_EXCEEDED
        assert "Connection refused" in await call.details()


async def test_not_serving_is_named(start: Start, open_to: Open) -> None:
    """The cause may be the instance's own word."""
    channel = open_to(await start("a", health=NOT_SERVING))

    with pytest.raises(discovery.NoInstanceError, match="its health service says NOT_SERVING"):
        await channel.unary_unary(path("Post"))(b"x")


async def test_a_ready_instance_has_no_cause(start: Start, open_to: Open) -> None:
    """The cause of an earlier failure is forgotten."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    await server.stop()
    await failed(channel)
    assert channel.explain().instances[0].cause

    await start("again", port=server.port)
    await channel.channel_ready()

    assert channel.explain().instances[0].cause is None


async def test_an_ejection_is_named(start: Start, open_to: Open) -> None:
    """Where ejections hold, a call says which one keeps it from its instance."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), service_config={"panic": False})
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 5)
    for _ in range(5):
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(path("Post"))(b"x")

    assert "READY (ejected: 5 failures in a row)" in channel._balancer.why_nothing()


async def test_a_service_that_nobody_serves_is_named() -> None:
    """The error of a call names what was looked for, so a misspelt service is seen at once."""
    async with discovery.open_channel("memory:///ordr?tag=v2") as channel:
        with pytest.raises(discovery.NoInstanceError, match="no instances of ordr with the tag v2"):
            await channel.unary_unary(path("Get"))(b"x")
