"""With perAttemptRecvTimeout a frozen instance doesn't use up the time of the call."""

from typing import Any

import grpc
import pytest

from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import SERVICE, Probe, path

POLICY = {
    "maxAttempts": 2,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "perAttemptRecvTimeout": "0.2s",
}
CONFIG = {
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{"service": SERVICE}], "retryPolicy": POLICY}],
}


def ordered(*servers: Probe) -> list[Probe]:
    """The servers in the order in which pick_first picks them."""
    return sorted(servers, key=lambda server: server.address)


def test_a_call_goes_on_to_another_instance(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """The first attempt is given up, counts as a failure, and the second is answered."""
    frozen, well = ordered(start("a"), start("b"))
    frozen.gate.clear()
    channel = open_to(frozen, well, service_config=CONFIG)
    ready(channel, 2)

    answer = channel.unary_unary(path("Get"))(b"x", timeout=60.0)

    assert answer == f"{well.name}:x".encode()
    assert [one.failures for one in channel.explain().instances] == [1, 0]


def test_a_stream_goes_on_to_another_instance(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A stream is given up while it has no message."""
    frozen, well = ordered(start("a"), start("b"))
    frozen.gate.clear()
    channel = open_to(frozen, well, service_config=CONFIG)
    ready(channel, 2)

    answers: list[Any] = list(channel.unary_stream(path("Watch"))(b"x", timeout=60.0))

    assert answers == [f"{well.name}:x{number}".encode() for number in range(3)]
    assert [one.failures for one in channel.explain().instances] == [1, 0]


def test_the_last_attempt_has_the_time_that_is_left(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """The call ends at its own deadline, not at that of an attempt."""
    server = start("a")
    server.gate.clear()
    channel = open_to(server, service_config=CONFIG)
    ready(channel, 1)

    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        channel.unary_unary(path("Get"))(b"x", timeout=4.0)

    remaining_s = [seen.time_remaining_s or 99.0 for seen in server.seen]
    assert [one < 0.25 for one in remaining_s] == [True, False]


def test_a_method_that_is_not_safe_is_not_given_up(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """No other attempt could follow."""
    server = start("a")
    channel = open_to(server, service_config=CONFIG)
    ready(channel, 1)

    assert channel.unary_unary(path("Post"))(b"x", timeout=60.0) == b"a:x"

    assert (server.seen[0].time_remaining_s or 0.0) > 10.0
