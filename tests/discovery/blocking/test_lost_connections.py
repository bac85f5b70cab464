"""Unsafe calls of a blocking channel while a connection is lost: each is sent once, elsewhere."""

from typing import Any

import grpc
import pytest

from discovery import blocking
from discovery.blocking.native import is_ready
from discovery.blocking.subchannel import Subchannel
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import post, ready, subchannel_of
from tests.support.discovery.probe_service import SERVING, Probe, path, ready_once

PICK_FIRST: dict[str, Any] = {"loadBalancingConfig": [{"pick_first": {}}]}


@pytest.fixture
def servers(start: StartInBackground) -> list[Probe]:
    """Two servers; calls go to the first one while it is connected."""
    return sorted((start(name, health=SERVING) for name in "ab"), key=lambda probe: probe.address)


@pytest.fixture
def channel(
    servers: list[Probe],
    open_to: OpenBlocking,
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
) -> blocking.BlockingChannel:
    """A channel to both, where the first one has ended without being noticed yet."""
    gone = servers[0]
    channel = open_to(*servers, service_config=PICK_FIRST)
    ready(channel, 2)
    # The watching thread notices nothing, as if it weren't scheduled for a while.
    monkeypatch.setattr(Subchannel, "_broke", lambda _subchannel, _code: None)
    background.run(gone.stop())
    while is_ready(subchannel_of(channel, gone)._native):
        pass
    assert subchannel_of(channel, gone).state is grpc.ChannelConnectivity.READY
    return channel


def test_unsafe_calls_avoid_a_connection_that_just_ended(
    servers: list[Probe], channel: blocking.BlockingChannel
) -> None:
    """An unsafe call isn't sent on a connection that has ended."""
    assert post(channel, 10) == [servers[1].name] * 10


@pytest.mark.parametrize("makes", ["calls", "futures"])
def test_unsafe_calls_leave_a_connection_that_ends_under_them(
    servers: list[Probe],
    channel: blocking.BlockingChannel,
    monkeypatch: pytest.MonkeyPatch,
    makes: str,
) -> None:
    """A connection that is lost between the pick and the sending costs no call."""
    there = servers[1]
    monkeypatch.setattr(Subchannel, "is_still_ready", ready_once(Subchannel.is_still_ready))

    call = channel.unary_unary(path("Post"))
    answer = call(b"x") if makes == "calls" else call.future(b"x").result(60)

    assert answer == f"{there.name}:x".encode()
    assert there.seen[0].metadata["x-discovery-attempt"] == "1"
