"""The probes of ejected instances, in the blocking driver."""

from typing import Any

import pytest
from grpc import StatusCode

from discovery.blocking.native import is_ready
from discovery.blocking.subchannel import Subchannel
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import (
    AdjustableClock,
    post,
    ready,
    subchannel_of,
)
from tests.support.discovery.probe_service import SERVING, Refusal

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}


def test_a_probe_that_finds_no_connection_is_still_due(
    start: StartInBackground,
    open_to: OpenBlocking,
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A probe isn't used up by a call that finds the connection ended and goes elsewhere."""
    broken, good = start("broken", health=SERVING), start("good", health=SERVING)
    clock = AdjustableClock()
    clock.stands_at_s = 100.0
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    ready(channel, 2)
    broken.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 5)
    post(channel, 10)
    subchannel = subchannel_of(channel, broken)
    ejection = subchannel.record.ejection
    assert ejection is not None
    clock.ahead_s += 5.0
    # The watching thread notices nothing, as if it weren't scheduled for a while.
    monkeypatch.setattr(Subchannel, "_broke", lambda _subchannel, _code: None)
    background.run(broken.stop())
    while is_ready(subchannel._native):
        pass

    assert post(channel, 1) == ["good"]

    assert (ejection.probed_s, ejection.due_s) == (None, clock.monotonic())
