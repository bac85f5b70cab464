"""Connections of a blocking channel end in whichever thread finds that they are not used."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from discovery import blocking
from discovery.blocking.balancer import Balancer
from discovery.registry.instance import Resolution
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import SERVING, Probe, path

# More than any step takes; a thread that hangs takes for ever.
_BOUND_S = 60.0

# Begins a call of each kind that its own thread doesn't wait for; and waits for its end.
BEGUN = pytest.mark.parametrize(
    ("begin", "finish"),
    [
        (lambda channel: channel.unary_unary(path("Get")).future(b"x"), lambda call: call.result()),
        (lambda channel: channel.unary_stream(path("Watch"))(b"x"), list),
        (
            lambda channel: channel.stream_unary(path("Upload")).future(iter([b"x"])),
            lambda call: call.result(),
        ),
        (lambda channel: channel.stream_stream(path("Chat"))(iter([b"x"])), list),
    ],
    ids=["unary_unary", "unary_stream", "stream_unary", "stream_stream"],
)
Begin = Callable[[blocking.BlockingChannel], Any]
Finish = Callable[[Any], Any]


def health_thread(probe: Probe) -> threading.Thread:
    """The thread that watches the health of an instance."""
    (found,) = (
        one for one in threading.enumerate() if one.name == f"discovery-health-{probe.address}"
    )
    return found


def has_closed(thread: threading.Thread) -> bool:
    """Whether the thread, which closes its connection last, ends."""
    thread.join(_BOUND_S)
    return not thread.is_alive()


@BEGUN
def test_the_last_call_to_a_removed_instance_closes_its_connection(
    start: StartInBackground,
    open_to: OpenBlocking,
    background: Background,
    begin: Begin,
    finish: Finish,
) -> None:
    """An instance leaves the list while a call is in flight; when the call ends, so do the
    connection and its thread.
    """
    probe = start("a", health=SERVING)
    channel = open_to(probe)
    ready(channel, 1)
    balancer: Balancer = channel.process_state().balancer
    probe.gate.clear()
    call = begin(channel)
    background.run(probe.wait_for_calls(1))

    balancer.update(Resolution(7, ()))
    watching = health_thread(probe)
    background.run(_open(probe))
    finish(call)

    assert has_closed(watching)


@BEGUN
def test_a_channel_may_be_closed_in_a_callback(
    start: StartInBackground,
    open_to: OpenBlocking,
    background: Background,
    begin: Begin,
    finish: Finish,
) -> None:
    """`close()` in a done callback of one of its calls ends the connections."""
    probe = start("a", health=SERVING)
    channel = open_to(probe)
    ready(channel, 1)
    closed = threading.Event()
    watching = health_thread(probe)
    probe.gate.clear()
    call = begin(channel)
    background.run(probe.wait_for_calls(1))

    def close(_call: Any) -> None:
        channel.close()
        closed.set()

    call.add_done_callback(close)
    background.run(_open(probe))
    finish(call)

    assert closed.wait(_BOUND_S)
    assert has_closed(watching)


async def _open(probe: Probe) -> None:
    probe.gate.set()
