"""An instance whose health can't be watched is used, as a plain gRPC channel would use it."""

import pytest
from grpc import ChannelConnectivity
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from discovery.balancing import health
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.health_handlers import UNHELPFUL, SilentWatch, Unreported
from tests.support.discovery.probe_service import (
    NOT_SERVING,
    Open,
    Start,
    failed,
    path,
)

OFF = {"healthCheckConfig": False}


@pytest.mark.parametrize("answer", UNHELPFUL)
async def test_a_server_that_does_not_report_its_health_is_used(
    start: Start, open_to: Open, answer: str
) -> None:
    """Only an explicit NOT_SERVING keeps an instance out."""
    handler = UNHELPFUL[answer]()
    channel = open_to(await start("a", handlers=(handler,)))

    answered = await channel.unary_unary(path("Post"))(b"x", wait_for_ready=True, timeout=60.0)

    assert answered == b"a:x"
    assert handler.requests
    assert channel.explain().instances[0].health == "UNREPORTED"


async def test_a_server_that_never_answers_the_watch_is_used(start: Start, open_to: Open) -> None:
    """After 5 s without a first answer the connection alone decides."""
    clock, handler = ManualClock(), SilentWatch()
    channel = open_to(await start("a", handlers=(handler,)), clock=clock)
    assert channel.get_state(try_to_connect=True) is ChannelConnectivity.IDLE
    assert channel.get_state() is ChannelConnectivity.CONNECTING
    await handler.asked.wait()
    await clock.wait_for_sleepers(1)
    assert channel.get_state() is ChannelConnectivity.CONNECTING

    await clock.advance(5.0)

    assert await channel.unary_unary(path("Post"))(b"x") == b"a:x"


async def test_not_serving_still_keeps_an_instance_out(start: Start, open_to: Open) -> None:
    """An explicit NOT_SERVING is believed although the stream ends."""
    handler = Unreported(HealthCheckResponse.NOT_SERVING)
    channel = open_to(await start("a", handlers=(handler,)))
    channel.get_state(try_to_connect=True)

    await failed(channel)

    assert channel.get_state() is ChannelConnectivity.TRANSIENT_FAILURE


async def test_the_watch_can_be_switched_off(start: Start, open_to: Open) -> None:
    """With `"healthCheckConfig": false` an instance isn't asked for its health."""
    handler = UNHELPFUL["UNAUTHENTICATED"]()
    server = await start("a", handlers=(handler,))
    channel = open_to(server, service_config=OFF)

    assert await channel.unary_unary(path("Post"))(b"x") == b"a:x"
    assert not handler.requests


async def test_without_the_watch_not_serving_is_not_known(start: Start, open_to: Open) -> None:
    """Nothing but the connection decides then."""
    channel = open_to(await start("a", health=NOT_SERVING), service_config=OFF)

    assert await channel.unary_unary(path("Post"))(b"x") == b"a:x"


async def test_a_service_name_can_be_asked_for(start: Start, open_to: Open) -> None:
    """`serviceName` is sent in the HealthCheckRequest."""
    handler = Unreported(HealthCheckResponse.SERVING)
    config = {"healthCheckConfig": {"serviceName": "shop.Order"}}
    channel = open_to(await start("a", handlers=(handler,)), service_config=config)

    await channel.channel_ready()

    assert handler.requests[0] == HealthCheckRequest(service="shop.Order").SerializeToString()


@pytest.mark.parametrize("name", ["", "a", "x" * 127, "x" * 128, "ü" * 300])
def test_the_request_is_that_of_generated_code(name: str) -> None:
    """A HealthCheckRequest is written without grpcio-health-checking."""
    assert health.request(name) == HealthCheckRequest(service=name).SerializeToString()
