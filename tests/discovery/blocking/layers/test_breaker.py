"""The breaker of a blocking channel refuses attempts of a failing method."""

import random
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery import blocking
from discovery.errors import RefusalReason
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.manual_readiness import AdjustableClock, ready
from tests.support.discovery.killable_instances import killable_instances
from tests.support.discovery.probe_service import Refusal, path


class AlwaysLow(random.Random):
    """A random source that always draws 0, so that everything that may be refused is refused."""

    def random(self) -> float:
        return 0.0


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
    (view,) = channel.explain().instances
    assert view.failures == len(server.seen)
    (breaker,) = channel.explain().breakers
    assert breaker.refusing

    server.script.clear()
    assert channel.unary_unary(path("Put"))(b"x") == b"a:x"


def test_streams_are_refused_too(start: StartInBackground, open_to: OpenBlocking) -> None:
    """The breaker refuses streams before they are opened."""
    server = start("a")
    channel = open_to(server, clock=AdjustableClock())
    ready(channel, 1)
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 1000)
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


def test_answers_of_the_application_are_refused_by_nobody(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A method that always answers INTERNAL says so to every caller, as in grpc."""
    server = start("a")
    post = open_to(server, clock=AdjustableClock()).unary_unary(path("Post"))
    server.script.extend([Refusal(StatusCode.INTERNAL)] * 52)

    assert {one.code() for one in errors_of(lambda: post(b"x"), 52)} == {StatusCode.INTERNAL}


def test_the_breaker_can_be_switched_off(start: StartInBackground, open_to: OpenBlocking) -> None:
    """With `"breaker": false` every attempt is sent."""
    server = start("a")
    post = open_to(server, service_config={"breaker": False}).unary_unary(path("Post"))
    server.script.extend([FINAL] * 52)

    assert {one.details() for one in errors_of(lambda: post(b"x"), 52)} == {"scripted"}


def test_answers_above_the_clients_limit_spare_small_ones(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A message that is too large for this side says nothing about the instance or the method."""
    server = start("a")
    limit = (("grpc.max_receive_message_length", 1000),)
    channel = open_to(server, clock=AdjustableClock(), options=limit)
    post = channel.unary_unary(path("Post"))
    chat = channel.stream_stream(path("Chat"))

    errors = errors_of(lambda: post(bytes(2000)), 30)
    errors += errors_of(lambda: list(chat(iter([b"x", bytes(2000)]))), 30)

    assert all("message larger than max" in one.details() for one in errors)
    assert post(b"x") == b"a:x"
    assert list(chat(iter([b"x"]))) == [b"a:x"]
    assert channel.explain().instances[0].failures == 0


@pytest.mark.parametrize("method", ["Get", "Watch"])
def test_a_refused_retry_ends_the_call_with_what_was_sent(
    start: StartInBackground, open_to: OpenBlocking, method: str
) -> None:
    """An error that says that nothing was sent would be wrong after an attempt that was."""
    server = start("a")
    again = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    # A breaker that lets one attempt a second through after the first failure.
    config = {"breaker": {"leastCalls": 1, "mostRefused": 1.0}}
    channel = open_to(server, clock=AdjustableClock(), service_config=config, rng=AlwaysLow())
    ready(channel, 1)
    server.script.extend([again] * 4)
    one: Any = getattr(channel, "unary_unary" if method == "Get" else "unary_stream")(path(method))

    # The first call's second attempt is the probe of this second, its third one is refused.
    errors = errors_of(lambda: one(b"x") if method == "Get" else next(one(b"x")), 1)

    assert [one.details() for one in errors] == ["scripted"]
    assert not isinstance(errors[0], discovery.LocalRefusalError)
    assert len(server.seen) == 2


def test_two_killed_instances_are_two_failures() -> None:
    """Two instances die with a dozen calls each; retries at the next ones must get through."""
    with killable_instances(2) as instances:
        target = "static:///" + ",".join(instances.addresses())
        with blocking.open_channel(target) as channel:
            ready(channel, 2)
            post = channel.unary_unary(path("Post"))
            calls = [post.future(b"x") for _ in range(24)]
            instances.accepted(24)
            instances.kill()

            assert {call.code() for call in calls} == {StatusCode.UNAVAILABLE}
            (breaker,) = channel.explain().breakers
            # A call may notice its end a moment before the channel notices that of its connection.
            assert breaker.attempts < 20
            assert not breaker.refusing
