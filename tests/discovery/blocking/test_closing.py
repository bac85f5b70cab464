"""Closing a blocking channel ends its calls as in grpc."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from discovery import blocking
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.call_outcome import outcome
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.dropin.scripted_server import NO_LISTENER, path
from tests.support.discovery.probe_service import path as probe_path

# How a call of each kind that waits for a connection is made, and how its end is awaited.
WAITS = {
    "unary_unary": ("Unary", lambda call: call(b".", wait_for_ready=True)),
    "future": ("Unary", lambda call: call.future(b".", wait_for_ready=True).result()),
    "unary_stream": ("Responses", lambda call: list(call(b".", wait_for_ready=True))),
    "stream_unary": ("Requests", lambda call: call(iter([b"."]), wait_for_ready=True)),
    "stream_stream": ("Both", lambda call: list(call(iter([b"."]), wait_for_ready=True))),
}


@pytest.mark.parametrize("kind", WAITS)
def test_closing_ends_calls_that_wait_for_a_connection(kind: str) -> None:
    """A call that waits for a connection ends with CANCELLED, as in grpc."""
    method, wait = WAITS[kind]
    factory = "unary_unary" if kind == "future" else kind

    def ended(channel: Any) -> Any:
        multicallable = getattr(channel, factory)(path(method))
        with ThreadPoolExecutor(1) as threads:
            begun = threading.Event()

            def call() -> Any:
                begun.set()
                return outcome(lambda: wait(multicallable))

            waiting = threads.submit(call)
            begun.wait()
            # The state is no longer IDLE once the call connects.
            while not _connects(channel):
                pass
            channel.close()
            return waiting.result(60)[:3]

    native = ended(grpc.insecure_channel(NO_LISTENER))
    ours = ended(blocking.open_channel(f"static:///{NO_LISTENER}"))

    assert native == ours == (True, grpc.StatusCode.CANCELLED, "Channel closed!")


def _connects(channel: Any) -> bool:
    """Whether the channel has begun to connect."""
    if isinstance(channel, blocking.BlockingChannel):
        return channel._state() is not grpc.ChannelConnectivity.IDLE
    return bool(channel._channel.check_connectivity_state(False))  # noqa: FBT003 - grpc's


def test_closing_ends_a_call_that_waits_for_its_turn(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A call in the queue of the bulkhead ends with CANCELLED."""
    probe = start("a")
    config = {"bulkhead": {"maxCalls": 1, "maxQueued": 5}}
    channel = open_to(probe, service_config=config)
    ready(channel, 1)
    probe.gate.clear()
    get: Any = channel.unary_unary(probe_path("Get"))
    calls = [get.future(b"1")]
    background.run(probe.wait_for_calls(1))
    calls.append(get.future(b"2"))
    bulkhead: Any = channel.process_state().bulkhead
    while not bulkhead.queued:
        pass

    channel.close()

    assert [call.code() for call in calls] == [grpc.StatusCode.CANCELLED] * 2
