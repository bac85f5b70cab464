"""Failed attempts of blocking calls are repeated if repeating can't double an effect."""

import grpc
import pytest
from grpc import StatusCode

from discovery.rules import attempt_number
from discovery.rules.attempt_number import ATTEMPT_KEY
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.probe_service import Refusal, path


def test_a_safe_method_is_attempted_on_another_instance(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A retry goes to another instance and carries its attempt number."""
    servers = [start("a"), start("b")]
    for server in servers:
        server.script.append(Refusal(StatusCode.UNAVAILABLE))
    get = open_to(*servers).unary_unary(path("Get"))

    assert get(b"x") in (b"a:x", b"b:x")
    seen = [call for server in servers for call in server.seen]
    assert len(seen) == 3
    assert sorted(str(call.metadata.get(ATTEMPT_KEY, "0")) for call in seen) == ["0", "1", "2"]
    assert {len(server.seen) for server in servers} == {1, 2}


def test_an_unsafe_method_is_attempted_once(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """The error of an unsafe method is raised without a retry."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    post = open_to(server).unary_unary(path("Post"))

    with pytest.raises(grpc.RpcError) as failed:
        post(b"x")
    assert failed.value.code() is StatusCode.UNAVAILABLE
    assert len(server.seen) == 1


def test_a_call_that_answers_a_retry_is_not_repeated(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A call made while answering a retry isn't retried: only one layer multiplies."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    get = open_to(server).unary_unary(path("Get"))

    with attempt_number.bind(1), pytest.raises(grpc.RpcError):
        get(b"x")
    assert server.seen[0].metadata[ATTEMPT_KEY] == "1"


def test_a_stream_is_repeated_before_its_first_message(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """A stream of responses is retried before its first message and never after it."""
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


def test_a_future_is_retried(start: StartInBackground, open_to: OpenBlocking) -> None:
    """A call made with `future()` is retried like any other."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))
    future = open_to(server).unary_unary(path("Get")).future(b"x")

    assert future.result(timeout=60) == b"a:x"
    assert (future.code(), future.done(), future.cancelled()) == (StatusCode.OK, True, False)
    assert dict(future.trailing_metadata())["served-by"] == "a"


def test_published_throttling_ends_retries(start: StartInBackground, open_to: OpenBlocking) -> None:
    """With half of retryThrottling's two tokens gone, nothing is retried."""
    server = start("a")
    throttled = {"retryThrottling": {"maxTokens": 2, "tokenRatio": 0.1}}
    get = open_to(server, service_config=throttled).unary_unary(path("Get"))
    server.script.append(Refusal(StatusCode.UNAVAILABLE))

    with pytest.raises(grpc.RpcError):
        get(b"x")

    assert len(server.seen) == 1
    assert get(b"x") == b"a:x"
