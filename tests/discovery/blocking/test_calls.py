"""Blocking calls over real servers follow the rules of `discovery`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery import blocking
from discovery.clock import SystemClock
from discovery.rules import deadline
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import NOT_SERVING, SERVING, Refusal, path


def test_nothing_is_opened_before_the_first_call(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A channel starts no thread before its first call, so it may be made at import time."""
    server = start("a")
    before = set(threading.enumerate())
    channel = open_to(server)
    get = channel.unary_unary(path("Get"))

    assert set(threading.enumerate()) == before
    assert get(b"x") == b"a:x"
    assert len(set(threading.enumerate()) - before) >= 2


def test_calls_have_a_deadline(start: StartInBackground, open_to: OpenBlocking) -> None:
    """A call has 10 s by default, and never more than its handler's caller has left."""
    server = start("a")
    get = open_to(server).unary_unary(path("Get"))
    get(b"x")
    get(b"x", timeout=100)
    with deadline.bind(SystemClock().monotonic() + 50):
        get(b"x", timeout=100)

    left_s = [call.time_remaining_s for call in server.seen]
    assert [0 < (left or 0) <= bound for left, bound in zip(left_s, (10, 100, 50), strict=True)]
    assert (left_s[1] or 0) > 50


def test_a_spent_deadline_is_refused_locally(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A call whose deadline has passed raises LocalRefusalError and is not sent."""
    server = start("a")
    get = open_to(server).unary_unary(path("Get"))

    with pytest.raises(discovery.LocalRefusalError) as refused:
        get(b"x", timeout=-1)
    assert refused.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert server.seen == []


def test_without_a_ready_instance_a_call_fails(open_to: OpenBlocking) -> None:
    """A call raises NoInstanceError, UNAVAILABLE, which lists what was tried."""
    with blocking.open_channel("static:///127.0.0.1:9") as channel:
        with pytest.raises(discovery.NoInstanceError) as failed:
            channel.unary_unary(path("Post"))(b"x")
        assert failed.value.code() is StatusCode.UNAVAILABLE
        assert "127.0.0.1:9 TRANSIENT_FAILURE" in (failed.value.details() or "")
        assert "Connection refused" in (failed.value.details() or "")
        watching = channel.unary_stream(path("Watch"))(b"x")
        with pytest.raises(discovery.NoInstanceError):
            next(watching)
        with pytest.raises(discovery.NoInstanceError):
            next(channel.stream_stream(path("Chat"))(iter([b"x"])))
        with pytest.raises(discovery.NoInstanceError):
            channel.stream_unary(path("Upload")).future(iter([b"x"])).result()


def test_not_serving_is_not_picked(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A draining instance gets no new calls, and none of them fails."""
    a, b = start("a", health=SERVING), start("b", health=SERVING)
    post = open_to(a, b).unary_unary(path("Post"))
    while {post(b"x") for _ in range(10)} != {b"a:x", b"b:x"}:
        pass

    background.run(a.set_health(NOT_SERVING))
    while {post(b"x") for _ in range(20)} != {b"b:x"}:
        pass
    background.run(a.set_health(SERVING))
    while {post(b"x") for _ in range(20)} != {b"a:x", b"b:x"}:
        pass


def test_an_instance_that_comes_back_is_used_again(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """An instance that restarts on its port is used again without a new look-up."""
    a = start("a", health=SERVING)
    get = open_to(a).unary_unary(path("Get"))
    assert get(b"x") == b"a:x"
    background.run(a.stop())

    again = start("again", port=a.port, health=SERVING)
    assert get(b"x", wait_for_ready=True, timeout=60) == b"again:x"
    assert len(again.seen) == 1


def test_many_threads_share_a_channel(start: StartInBackground, open_to: OpenBlocking) -> None:
    """Each of many threads gets its own response, and nothing stays in flight."""
    servers = [start(name) for name in "abc"]
    channel = open_to(*servers)
    get = channel.unary_unary(path("Get"))

    def ask(number: int) -> bool:
        return get(b"%d" % number).endswith(b":%d" % number)

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(600)))
    balancer = channel.process_state().balancer
    assert {one.load.in_flight for one in balancer.subchannels} == {0}
    assert sum(len(server.seen) for server in servers) == 600
    assert all(server.seen for server in servers)


def test_threads_that_call_first_together_connect_once(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """Threads that make the first call together share one resolver and its connections."""
    server = start("a")
    before = set(threading.enumerate())
    get = open_to(server).unary_unary(path("Get"))

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda _: get(b"x"), range(64))) == [b"a:x"] * 64
        names = [thread.name for thread in set(threading.enumerate()) - before]
    assert sum("resolver" in name for name in names) == 1
    assert sum("health" in name for name in names) == 1


def test_a_subscriber_is_called_until_it_unsubscribes(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A subscriber is called with IDLE at once, and not with READY after it has unsubscribed."""
    channel = open_to(start("a"))
    seen: list[grpc.ChannelConnectivity] = []
    idle = threading.Event()

    def notify(state: grpc.ChannelConnectivity) -> None:
        seen.append(state)
        idle.set()

    channel.subscribe(notify)
    assert idle.wait(60)
    channel.unsubscribe(notify)
    grpc.channel_ready_future(channel).result(timeout=60)

    assert seen == [grpc.ChannelConnectivity.IDLE]
    assert channel.unary_unary(path("Get"))(b"x") == b"a:x"


def test_closing_ends_a_call_that_waits_for_an_instance(open_to: OpenBlocking) -> None:
    """Closing ends a call that waits for an instance with CANCELLED; a new call raises."""
    channel = blocking.open_channel("static:///127.0.0.1:9")
    get = channel.unary_unary(path("Get"))
    future = get.future(b"x", wait_for_ready=True, timeout=600)
    seen = threading.Event()

    def failed(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            seen.set()

    channel.subscribe(failed)
    assert seen.wait(60)
    channel.close()

    with pytest.raises(grpc.RpcError, match="Channel closed!"):
        future.result(timeout=60)
    assert future.code() is StatusCode.CANCELLED
    with pytest.raises(ValueError, match="closed channel"):
        get(b"x")


def test_interceptors_of_grpc(start: StartInBackground, open_to: OpenBlocking) -> None:
    """An interceptor of `grpc.intercept_channel` sees a call once, however often it is tried."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    seen = []

    class Sees(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            seen.append(request)
            return continuation(details, request)

    channel = grpc.intercept_channel(open_to(server), Sees())
    assert channel.unary_unary(path("Get"))(b"x") == b"a:x"
    assert seen == [b"x"]

    with blocking.open_channel("static:///127.0.0.1:9") as unreachable:
        get = grpc.intercept_channel(unreachable, Sees()).unary_unary(path("Get"))
        with pytest.raises(discovery.NoInstanceError):
            get(b"x")


def test_a_memory_target_is_refused() -> None:
    """`memory:///` is refused, because the channel's own thread can't watch it."""
    with pytest.raises(discovery.InvalidTargetError):
        blocking.open_channel("memory:///probe")


def test_codecs_of_single_calls_are_not_kept(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A program that makes a codec for each call doesn't fill the memory."""
    channel = open_to(start("a"))
    (subchannel,) = ready(channel, 1)

    for _ in range(1100):
        get: Any = channel.unary_unary(path("Get"), None, lambda message: message)
        assert get(b"x") == b"a:x"

    assert len(subchannel._multicallables) <= 1000


def test_a_callback_that_raises_does_not_stop_the_others(
    start: StartInBackground, open_to: OpenBlocking, caplog: pytest.LogCaptureFixture
) -> None:
    """The callbacks after one that raises are called, of a call and of a state; it is logged."""
    channel = open_to(start("a"))
    states: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
    ended: SimpleQueue[bool] = SimpleQueue()

    def fail(_: object) -> None:
        raise LookupError("the program's own")

    channel.subscribe(fail)
    channel.subscribe(states.put)
    call: Any = channel.unary_unary(path("Get")).future(b"x")
    call.add_done_callback(fail)
    call.add_done_callback(lambda done: ended.put(done.done()))

    assert ended.get(timeout=60)
    while states.get(timeout=60) is not grpc.ChannelConnectivity.READY:
        pass
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {LookupError}
