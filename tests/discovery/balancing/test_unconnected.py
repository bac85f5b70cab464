"""An attempt whose connection was lost before it was sent is repeated, whatever its method."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.aio.subchannel import Subchannel
from discovery.balancing.unconnected import was_not_sent
from discovery.registry.instance import Instance
from tests.support.discovery.probe_service import (
    Open,
    Start,
    ended_unnoticed,
    path,
    ready,
    ready_once,
)

PICK_FIRST: dict[str, Any] = {"loadBalancingConfig": [{"pick_first": {}}]}


def dial_failed(address: str) -> str:
    """What gRPC says of an attempt that found no connection to this address."""
    return (
        f"failed to connect to all addresses; last error: UNKNOWN: {address}: "
        "Failed to connect to remote host: Connection refused"
    )


@dataclass
class Connected:
    """A connection, and whether gRPC holds it for READY."""

    instance: Instance
    ready: bool = False

    def is_still_ready(self) -> bool:
        """What gRPC says of it now."""
        return self.ready


def not_sent(
    details: str,
    code: StatusCode = StatusCode.UNAVAILABLE,
    *,
    address: str = "10.0.0.1",
    port: int = 7,
    ready: bool = False,
) -> bool:
    """The verdict on an attempt at an instance that ended with these details."""
    empty = grpc.aio.Metadata()
    connection: Any = Connected(Instance("a", "probe", address, port), ready)
    return was_not_sent(grpc.aio.AioRpcError(code, empty, empty, details), connection)


@pytest.mark.parametrize(
    ("address", "port", "in_words"),
    [
        ("10.0.0.1", 7, "ipv4:10.0.0.1:7"),
        ("::1", 7, "ipv6:%5B::1%5D:7"),
        ("unix:/run/probe.sock", 0, "unix:/run/probe.sock"),
    ],
)
def test_a_failed_dial_of_the_instance_sent_nothing(address: str, port: int, in_words: str) -> None:
    """gRPC names the instance's own address, and the connection isn't READY."""
    assert not_sent(dial_failed(in_words), address=address, port=port)


def test_what_a_server_may_have_said_was_sent() -> None:
    """An error that a server may relay, or that isn't about a dial, isn't taken for a failed dial.

    The relayed one names another address, or came over a connection that is READY.
    """
    own = dial_failed("ipv4:10.0.0.1:7")

    assert not not_sent(dial_failed("ipv4:10.0.0.1:77"))
    assert not not_sent(dial_failed("ipv4:110.0.0.1:7"))
    assert not not_sent(own, ready=True)
    assert not not_sent(own, StatusCode.INTERNAL)
    assert not not_sent(f"inventory: {own}")
    assert not not_sent("Socket closed")


async def test_an_unsafe_call_goes_to_another_instance(
    start: Start, open_to: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost between the pick and the sending costs no call."""
    gone, there = sorted([await start("a"), await start("b")], key=lambda probe: probe.address)
    channel = open_to(gone, there, service_config=PICK_FIRST)
    await ready(channel, 2)
    await ended_unnoticed(channel, gone)
    monkeypatch.setattr(Subchannel, "is_still_ready", ready_once(Subchannel.is_still_ready))

    assert await channel.unary_unary(path("Post"))(b"x") == f"{there.name}:x".encode()
    assert there.seen[0].metadata["x-discovery-attempt"] == "1"
