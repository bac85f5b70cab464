"""What ejects an instance of a blocking channel: absence, or faults that the others lack."""

from typing import Any

import grpc
import pytest
from grpc import StatusCode

from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.manual_readiness import (
    AdjustableClock,
    post,
    ready,
    subchannel_of,
)
from tests.support.discovery.probe_service import Refusal, path

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
FAULT = Refusal(StatusCode.INTERNAL)


def stopped_clock() -> AdjustableClock:
    """A clock that stands still, so that all attempts stay in the window."""
    clock = AdjustableClock()
    clock.stands_at_s = 100.0
    return clock


@pytest.mark.parametrize("mixed", [False, True])
def test_a_method_that_fails_everywhere_ejects_nobody(
    start: StartInBackground, open_to: OpenBlocking, *, mixed: bool
) -> None:
    """An application that answers INTERNAL to one method keeps both of its instances."""
    servers = [start("a"), start("b")]
    channel = open_to(*servers, service_config=ROUND_ROBIN, clock=stopped_clock())
    ready(channel, 2)

    for _ in range(60):
        for server in servers:
            server.script.append(FAULT)
        assert post(channel, 1) == ["-"]
        for server in servers:
            server.script.clear()
        if mixed:
            assert channel.unary_unary(path("Get"))(b"x") in {b"a:x", b"b:x"}

    assert [subchannel_of(channel, server).record.ejection for server in servers] == [None, None]


def test_one_of_three_that_answers_internal_alone_is_ejected(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """An instance whose methods all fail, while the others answer them, gets no calls."""
    broken, *others = [start(name) for name in ("broken", "b", "c")]
    channel = open_to(broken, *others, service_config=ROUND_ROBIN, clock=stopped_clock())
    ready(channel, 3)
    broken.script.extend([FAULT] * 1000)

    # Two methods for three instances in turn: each instance is asked for both.
    for _ in range(30):
        for method in ("Put", "Post"):
            try:
                channel.unary_unary(path(method))(b"x")
            except grpc.RpcError:
                continue

    assert subchannel_of(channel, broken).record.ejection is not None
    assert "-" not in post(channel, 10)
