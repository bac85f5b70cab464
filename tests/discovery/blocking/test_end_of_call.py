"""What is told about the end of a call that grpc itself makes."""

import queue
import threading
from contextlib import suppress
from typing import Any

import grpc
import pytest

from discovery.blocking.end_of_call import on_attempt_end
from tests.discovery.blocking.conftest import StartInBackground
from tests.support.discovery.probe_service import path
from tests.support.limits import WAIT_S


@pytest.mark.parametrize(
    ("request_", "messages", "code"),
    [(b"x", 3, grpc.StatusCode.OK), (b"then fail", 1, grpc.StatusCode.UNAVAILABLE)],
)
def test_a_stream_that_was_read_to_its_end_has_its_code(
    start: StartInBackground, request_: bytes, messages: int, code: grpc.StatusCode
) -> None:
    """A reader that drops the call before grpc calls back did not cancel it."""
    told: queue.SimpleQueue[grpc.StatusCode] = queue.SimpleQueue()
    dropped = threading.Event()

    with grpc.insecure_channel(start("a").address) as channel:
        watch: Any = channel.unary_stream(path("Watch"))
        call = watch(request_)
        # grpc calls back in this order.
        call.add_callback(lambda: dropped.wait(WAIT_S))
        on_attempt_end(call, told.put)
        for _ in range(messages):
            next(call)
        # The end is here before it is read. To wait for it in a read could be in vain: the thread
        # that would bring it is the one that calls back, and waits.
        assert call.code() is code
        with suppress(grpc.RpcError):
            next(call, None)
        del call
        dropped.set()

        assert told.get(timeout=WAIT_S) is code


def test_a_stream_that_nobody_reads_is_cancelled(start: StartInBackground) -> None:
    """grpc cancels a call that is collected, and its end is told."""
    told: queue.SimpleQueue[grpc.StatusCode] = queue.SimpleQueue()

    with grpc.insecure_channel(start("a").address) as channel:
        watch: Any = channel.unary_stream(path("Watch"))
        call = watch(b"x")
        on_attempt_end(call, told.put)
        next(call)
        del call

        assert told.get(timeout=WAIT_S) is grpc.StatusCode.CANCELLED
