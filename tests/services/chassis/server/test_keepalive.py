"""A caller may send keepalive pings at the allowed interval."""

import asyncio
from typing import Any, cast

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2 as channelz
from grpc_channelz.v1.channelz_pb2_grpc import ChannelzStub
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.chassis.server import assembly
from tests.support.chassis.echo_service import echo_server
from tests.support.limits import WAIT_S

# A server closes the connection at the third early ping; the client learns of it a bit later.
PINGS = 12
IMPATIENT = (
    ("grpc.keepalive_time_ms", 20),
    ("grpc.keepalive_timeout_ms", 10_000),
    # By default a gRPC client sends two pings without data, and then one a minute.
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_channelz", 1),
    # Do not reuse a connection of another test.
    ("grpc.use_local_subchannel_pool", 1),
)


async def pings_sent(stub: Any, target: str) -> int:
    """Return how many keepalive pings the clients of this process have sent to a target."""
    sent = 0
    for top in (await stub.GetTopChannels(channelz.GetTopChannelsRequest())).channel:
        if not top.data.target.endswith(target):
            continue
        for below in top.subchannel_ref:
            request = channelz.GetSubchannelRequest(subchannel_id=below.subchannel_id)
            for socket in (await stub.GetSubchannel(request)).subchannel.socket_ref:
                asking = channelz.GetSocketRequest(socket_id=socket.socket_id)
                sent += (await stub.GetSocket(asking)).socket.data.keep_alives_sent
    return sent


async def test_pings_at_the_allowed_interval_end_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection stays open while its pings keep to the interval, even without calls."""
    monkeypatch.setattr(assembly, "MIN_PING_INTERVAL_MS", 1)
    async with (
        echo_server(settings={"channelz": True}) as echo,
        grpc.aio.insecure_channel(echo.server.endpoint, options=IMPATIENT) as channel,
        asyncio.timeout(WAIT_S),
    ):
        stub: Any = ChannelzStub(cast(grpc.Channel, echo.channel))
        quiet: Any = HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await quiet.read()
        listening = asyncio.ensure_future(quiet.read())
        while await pings_sent(stub, echo.server.endpoint) < PINGS and not listening.done():
            pass
        assert not listening.done()
        listening.cancel()
