"""Interceptors of `grpc.intercept_channel` observe the same with a blocking channel as with grpc's.

Programs bring their own retries, tokens and logs in this form.
"""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.call_outcome import Alike, outcome, pairs
from tests.support.discovery.dropin.scripted_server import ScriptedServer, path

Intercept = Callable[[Any, Any, Any], Any]
KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
METHODS = dict(zip(KINDS, ["Unary", "Responses", "Requests", "Both"], strict=True))
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


class Details(SimpleNamespace, grpc.ClientCallDetails):
    """Details of a call that an interceptor has changed."""


class Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Intercepts every kind of call by one function."""

    def __init__(self, intercept: Intercept) -> None:
        self._intercept = intercept

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Intercept a call; those of the other kinds are the same."""
        return self._intercept(continuation, details, request)

    intercept_unary_stream = intercept_unary_unary
    intercept_stream_unary = intercept_unary_unary
    intercept_stream_stream = intercept_unary_unary


def requests(kind: str, orders: str) -> Any:
    """The request of a call, or its requests, that tells the server these orders."""
    return (
        iter([b"%c" % ord(one) for one in orders]) if kind.startswith("stream") else orders.encode()
    )


def ended(call: Any) -> tuple[Any, ...]:
    """The status and metadata of an ended call."""
    return (
        call.code(),
        call.details(),
        pairs(call.initial_metadata()),
        pairs(call.trailing_metadata()),
    )


def called(channel: Any, kind: str, orders: str, **options: Any) -> Any:
    """The response or the responses of a call, and how it ended."""
    multicallable = getattr(channel, kind)(path(METHODS[kind]))
    if kind.endswith("unary"):
        response, call = multicallable.with_call(requests(kind, orders), **options)
        return response, ended(call)
    call = multicallable(requests(kind, orders), **options)
    return list(call), ended(call)


def changed(details: Any, **changes: Any) -> Details:
    """The details of a call with some of them changed."""
    names = ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")
    return Details(**{name: getattr(details, name) for name in names} | changes)


@EACH_KIND
@pytest.mark.parametrize("orders", ["h.", ".!", "h!"])
def test_what_an_interceptor_is_told(alike: Alike, kind: str, orders: str) -> None:
    """It gets the call's details, and a call whose status it can read."""

    def program(channel: Any, _: Any) -> Any:
        seen: list[Any] = []

        def look(continuation: Any, details: Any, request: Any) -> Any:
            call = continuation(details, request)
            told = details.method, details.timeout, pairs(details.metadata), details.wait_for_ready
            seen.append((*told, type(call).__mro__[-1]))
            if kind.endswith("unary"):
                error = call.exception()
                seen.append((ended(call), error is None or ended(error), call.done()))
            return call

        intercepted = grpc.intercept_channel(channel, Interceptor(look))
        options = {"metadata": (("initial-a", "1"),), "timeout": 30, "wait_for_ready": True}
        return outcome(lambda: called(intercepted, kind, orders, **options)), seen

    alike(program)


@EACH_KIND
def test_changed_details_are_sent(alike: Alike, kind: str) -> None:
    """The server gets the metadata, and the call the time, that the interceptors leave it."""

    def program(channel: Any, server: ScriptedServer) -> Any:
        order: list[str] = []

        def adding(name: str) -> Interceptor:
            def add(continuation: Any, details: Any, request: Any) -> Any:
                order.append(name)
                metadata = [*(details.metadata or ()), (name, str(len(order)))]
                return continuation(changed(details, metadata=metadata), request)

            return Interceptor(add)

        def hurry(continuation: Any, details: Any, request: Any) -> Any:
            return continuation(changed(details, timeout=0.2), request)

        intercepted = grpc.intercept_channel(channel, adding("first"), adding("second"))
        answered = called(intercepted, kind, ".")
        sent = [pair for pair in server.metadata if pair[0] in ("first", "second")]
        hurried = grpc.intercept_channel(intercepted, Interceptor(hurry))
        late = outcome(lambda: called(hurried, kind, ".?"))
        return order, answered, sent, late[:2]

    alike(program)


@pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
@pytest.mark.parametrize("makes", ["call", "with_call", "future"])
def test_a_program_s_own_retry(alike: Alike, kind: str, makes: str) -> None:
    """An interceptor may continue twice, and return the second call."""

    def program(channel: Any, _: Any) -> Any:
        seen: list[Any] = []

        def retry(continuation: Any, details: Any, _request: Any) -> Any:
            first = continuation(details, requests(kind, "!"))
            seen.append((first.code(), outcome(first.result)))
            return continuation(details, requests(kind, "."))

        intercepted = grpc.intercept_channel(channel, Interceptor(retry))
        call = getattr(intercepted, kind)(path(METHODS[kind]))
        if makes == "future":
            future = call.future(requests(kind, "!"))
            return seen, future.result(30), future.code(), future.exception()
        if makes == "with_call":
            response, second = call.with_call(requests(kind, "!"))
            return seen, response, ended(second)
        return seen, call(requests(kind, "!"))

    alike(program)


@EACH_KIND
@pytest.mark.parametrize("kind_of_error", [ValueError, grpc.RpcError, KeyError])
def test_an_interceptor_raises(alike: Alike, kind: str, kind_of_error: type[Exception]) -> None:
    """Whatever it raises reaches the caller in the same way, and no call is made."""

    def program(channel: Any, server: ScriptedServer) -> Any:
        server.begin()

        def fail(_continuation: Any, _details: Any, _request: Any) -> Any:
            raise kind_of_error("no")

        intercepted = grpc.intercept_channel(channel, Interceptor(fail))
        call = getattr(intercepted, kind)(path(METHODS[kind]))
        found: list[Any] = []
        for make in (lambda: call(requests(kind, ".")), lambda: list(call(requests(kind, ".")))):
            try:
                made: Any = make()
            except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
                found.append((type(error), str(error)))
            else:
                found.append((made.code(), made.details(), str(made.exception())))
        return found, server.entered.is_set()

    alike(program)


@EACH_KIND
def test_a_call_is_cancelled_through_an_interceptor(
    alike: Alike, background: Background, kind: str
) -> None:
    """The caller cancels what the interceptor returned, and the server's handler ends."""

    def program(channel: Any, server: ScriptedServer) -> Any:
        server.begin()
        over = threading.Event()

        def watch(continuation: Any, details: Any, request: Any) -> Any:
            call = continuation(details, request)
            call.add_done_callback(lambda _: over.set())
            return call

        intercepted = grpc.intercept_channel(channel, Interceptor(watch))
        multicallable = getattr(intercepted, kind)(path(METHODS[kind]))
        make = multicallable.future if kind.endswith("unary") else multicallable
        call = make(requests(kind, "?"))
        background.run(server.entered.wait())
        cancelled = call.cancel()
        background.run(server.over.wait())
        return cancelled, over.wait(60), call.code(), call.cancelled(), call.done()

    alike(program)
