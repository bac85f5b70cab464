"""Synchronous calls over real servers: the same rules as everywhere in `discovery`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery import blocking
from discovery.clock import SystemClock
from discovery.rules import attempt_number, deadline
from discovery.rules.attempt_number import ATTEMPT_KEY
from tests.discovery.blocking.conftest import OpenBlocking, StartBeside
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.probe_service import NOT_SERVING, SERVING, Refusal, path


def test_nothing_is_opened_before_the_first_call(start: StartBeside, open_to: OpenBlocking) -> None:
    """No thread and no connection: the channel may be made at import time."""
    server = start("a")
    before = set(threading.enumerate())
    channel = open_to(server)
    get = channel.unary_unary(path("Get"))

    assert set(threading.enumerate()) == before
    assert get(b"x") == b"a:x"
    assert len(set(threading.enumerate()) - before) >= 2


def test_a_failed_attempt_is_repeated_elsewhere(start: StartBeside, open_to: OpenBlocking) -> None:
    """A safe method that an instance refuses with UNAVAILABLE goes to another one, and says so."""
    servers = [start("a"), start("b")]
    for server in servers:
        server.script.append(Refusal(StatusCode.UNAVAILABLE))
    get = open_to(*servers).unary_unary(path("Get"))

    assert get(b"x") in (b"a:x", b"b:x")
    seen = [call for server in servers for call in server.seen]
    assert len(seen) == 3
    assert sorted(str(call.metadata.get(ATTEMPT_KEY, "0")) for call in seen) == ["0", "1", "2"]
    assert {len(server.seen) for server in servers} == {1, 2}


def test_an_unsafe_method_is_attempted_once(start: StartBeside, open_to: OpenBlocking) -> None:
    """What the contract doesn't call safe raises its error."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    post = open_to(server).unary_unary(path("Post"))

    with pytest.raises(grpc.RpcError) as failed:
        post(b"x")
    assert failed.value.code() is StatusCode.UNAVAILABLE
    assert len(server.seen) == 1


def test_a_call_that_answers_a_retry_is_not_repeated(
    start: StartBeside, open_to: OpenBlocking
) -> None:
    """Only one layer retries, in synchronous handlers too."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    get = open_to(server).unary_unary(path("Get"))

    with attempt_number.bind(1), pytest.raises(grpc.RpcError):
        get(b"x")
    assert server.seen[0].metadata[ATTEMPT_KEY] == "1"


def test_a_stream_is_repeated_before_its_first_message(
    start: StartBeside, open_to: OpenBlocking
) -> None:
    """And never after it."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    watch = open_to(server).unary_stream(path("Watch"))

    assert list(watch(b"x")) == [b"a:x0", b"a:x1", b"a:x2"]
    failing = watch(b"then fail")
    assert next(failing) == b"a:then fail0"
    with pytest.raises(grpc.RpcError) as failed:
        next(failing)
    assert failed.value.code() is StatusCode.UNAVAILABLE
    assert failing.code() is StatusCode.UNAVAILABLE


def test_a_future_is_repeated_as_well(start: StartBeside, open_to: OpenBlocking) -> None:
    """It is a call like any other."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    future = open_to(server).unary_unary(path("Get")).future(b"x")

    assert future.result(timeout=60) == b"a:x"
    assert (future.code(), future.done(), future.cancelled()) == (StatusCode.OK, True, False)
    assert dict(future.trailing_metadata())["served-by"] == "a"


def test_calls_have_a_deadline(start: StartBeside, open_to: OpenBlocking) -> None:
    """10 s by default; what is left of the handler's own, where there is one."""
    server = start("a")
    get = open_to(server).unary_unary(path("Get"))
    get(b"x")
    get(b"x", timeout=100)
    with deadline.bind(SystemClock().monotonic() + 50):
        get(b"x", timeout=100)

    left_s = [call.time_remaining_s for call in server.seen]
    assert [0 < (left or 0) <= bound for left, bound in zip(left_s, (10, 100, 50), strict=True)]
    assert (left_s[1] or 0) > 50


def test_a_spent_deadline_is_refused_here(start: StartBeside, open_to: OpenBlocking) -> None:
    """DEADLINE_EXCEEDED, a LocalRefusalError, without a network call."""
    server = start("a")
    get = open_to(server).unary_unary(path("Get"))

    with pytest.raises(discovery.LocalRefusalError) as refused:
        get(b"x", timeout=-1)
    assert refused.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert server.seen == []


def test_nobody_is_there(open_to: OpenBlocking) -> None:
    """NoInstanceError, UNAVAILABLE, which says what was tried."""
    with blocking.open_channel("static:///127.0.0.1:9") as channel:
        with pytest.raises(discovery.NoInstanceError) as failed:
            channel.unary_unary(path("Post"))(b"x")
        assert failed.value.code() is StatusCode.UNAVAILABLE
        assert "127.0.0.1:9 TRANSIENT_FAILURE" in (failed.value.details() or "")
        watching = channel.unary_stream(path("Watch"))(b"x")
        with pytest.raises(discovery.NoInstanceError):
            next(watching)
        with pytest.raises(discovery.NoInstanceError):
            next(channel.stream_stream(path("Chat"))(iter([b"x"])))
        with pytest.raises(discovery.NoInstanceError):
            channel.stream_unary(path("Upload")).future(iter([b"x"])).result()


def test_not_serving_is_not_picked(
    start: StartBeside, open_to: OpenBlocking, background: Background
) -> None:
    """A draining instance gets no new calls, unsafe ones included, and none fails."""
    a, b = start("a", health=SERVING), start("b", health=SERVING)
    post = open_to(a, b).unary_unary(path("Post"))
    while {post(b"x") for _ in range(10)} != {b"a:x", b"b:x"}:
        pass

    background.run(a.say(NOT_SERVING))
    while {post(b"x") for _ in range(20)} != {b"b:x"}:
        pass
    background.run(a.say(SERVING))
    while {post(b"x") for _ in range(20)} != {b"a:x", b"b:x"}:
        pass


def test_an_instance_that_comes_back_is_used_again(
    start: StartBeside, open_to: OpenBlocking, background: Background
) -> None:
    """On its port, without a new look-up."""
    a = start("a", health=SERVING)
    get = open_to(a).unary_unary(path("Get"))
    assert get(b"x") == b"a:x"
    background.run(a.stop())

    again = start("again", port=a.port, health=SERVING)
    assert get(b"x", wait_for_ready=True, timeout=60) == b"again:x"
    assert len(again.seen) == 1


def test_many_threads_share_a_channel(start: StartBeside, open_to: OpenBlocking) -> None:
    """Each gets its own answer, and nothing stays in flight."""
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
    start: StartBeside, open_to: OpenBlocking
) -> None:
    """The first call of many threads makes one resolver and one connection an instance."""
    server = start("a")
    before = set(threading.enumerate())
    get = open_to(server).unary_unary(path("Get"))

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda _: get(b"x"), range(64))) == [b"a:x"] * 64
        names = [thread.name for thread in set(threading.enumerate()) - before]
    assert sum("resolver" in name for name in names) == 1
    assert sum("health" in name for name in names) == 1


def test_a_channel_connects_when_it_is_told_to(start: StartBeside, open_to: OpenBlocking) -> None:
    """IDLE, then READY in the end; an unsubscribed callback is called no more."""
    channel = open_to(start("a"))
    seen: list[grpc.ChannelConnectivity] = []
    idle = threading.Event()

    def told(state: grpc.ChannelConnectivity) -> None:
        seen.append(state)
        idle.set()

    channel.subscribe(told)
    assert idle.wait(60)
    channel.unsubscribe(told)
    grpc.channel_ready_future(channel).result(timeout=60)

    assert seen == [grpc.ChannelConnectivity.IDLE]
    assert channel.unary_unary(path("Get"))(b"x") == b"a:x"


def test_closing_ends_what_waits(open_to: OpenBlocking) -> None:
    """A call that waits for an instance is told that the channel is closed."""
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

    with pytest.raises(ValueError, match="closed channel"):
        future.result(timeout=60)
    with pytest.raises(ValueError, match="closed channel"):
        get(b"x")


def test_interceptors_of_grpc(start: StartBeside, open_to: OpenBlocking) -> None:
    """`grpc.intercept_channel` stands on top, and sees a call once, whatever it takes."""
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

    with blocking.open_channel("static:///127.0.0.1:9") as nobody:
        get = grpc.intercept_channel(nobody, Sees()).unary_unary(path("Get"))
        with pytest.raises(discovery.NoInstanceError):
            get(b"x")


def test_the_registry_of_one_loop_is_no_target() -> None:
    """`memory:///` can't be watched from the channel's own thread."""
    with pytest.raises(discovery.InvalidTargetError):
        blocking.open_channel("memory:///probe")
