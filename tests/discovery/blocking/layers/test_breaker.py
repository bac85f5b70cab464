"""The breaker of a blocking channel refuses attempts of a failing method."""

from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.errors import RefusalReason
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.manual_readiness import AdjustableClock, ready, subchannel_of
from tests.support.discovery.probe_service import Refusal, path

FINAL = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))


def errors_of(call: Any, times: int) -> list[Any]:
    """Make a call several times and return its errors."""
    errors = []
    for _ in range(times):
        with pytest.raises(grpc.RpcError) as failed:
            call()
        errors.append(failed.value)
    return errors


def test_calls_of_a_failing_method_are_refused(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """Refusals carry a reason, count against no instance and spare other methods."""
    server = start("a")
    channel = open_to(server, clock=AdjustableClock())
    ready(channel, 1)
    get = channel.unary_unary(path("Get"))
    server.script.extend([FINAL] * 1000)

    errors = errors_of(lambda: get(b"x"), 100)

    refusals = [one for one in errors if isinstance(one, discovery.LocalRefusalError)]
    assert 50 < len(refusals) < 80
    assert {(one.code(), one.reason) for one in refusals} == {
        (StatusCode.UNAVAILABLE, RefusalReason.BREAKER_OPEN)
    }
    assert len(server.seen) == 100 - len(refusals)
    assert len(subchannel_of(channel, server).record.outcomes.failures) == len(server.seen)
    (breaker,) = channel.explain().breakers
    assert breaker.refusing

    server.script.clear()
    assert channel.unary_unary(path("Put"))(b"x") == b"a:x"


def test_streams_are_refused_too(start: StartInBackground, open_to: OpenBlocking) -> None:
    """The breaker refuses streams before they are opened."""
    server = start("a")
    channel = open_to(server, clock=AdjustableClock())
    ready(channel, 1)
    server.script.extend([Refusal(StatusCode.INTERNAL)] * 1000)
    chat = channel.stream_stream(path("Chat"))

    errors = errors_of(lambda: next(chat(iter([b"x"]))), 100)

    assert len(server.seen) < 60
    assert any(isinstance(one, discovery.LocalRefusalError) for one in errors)


def test_streams_that_succeed_are_counted(start: StartInBackground, open_to: OpenBlocking) -> None:
    """Successful streams are counted, or two failures of many would eject an instance."""
    server = start("a")
    channel = open_to(server)
    ready(channel, 1)
    chat = channel.stream_stream(path("Chat"))
    for _ in range(20):
        assert list(chat(iter([b"x"]))) == [b"a:x"]

    server.script.extend([Refusal(StatusCode.INTERNAL)] * 3)
    errors_of(lambda: next(chat(iter([b"x"]))), 3)

    (view,) = channel.explain().instances
    assert (view.calls, view.failures, view.ejected) == (23, 3, None)
