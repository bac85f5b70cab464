"""Programs written for `grpc.insecure_channel` observe the same with a blocking channel."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from tests.support.discovery.blocking.call_outcome import (
    METADATA,
    Alike,
    all_of,
    outcome,
    pairs,
    status,
)
from tests.support.discovery.dropin.scripted_server import path


@dataclass(frozen=True)
class Requests:
    """Makes the requests of one kind of call; an iterator can be used only once."""

    answered: Callable[[], Any]
    refused: Callable[[], Any]
    hanging: Callable[[], Any]


KINDS = pytest.mark.parametrize(
    ("kind", "method", "requests"),
    [
        ("unary_unary", "Unary", Requests(lambda: b"h.", lambda: b"h!", lambda: b"?")),
        ("unary_stream", "Responses", Requests(lambda: b"h..", lambda: b"h.!", lambda: b".?")),
        (
            "stream_unary",
            "Requests",
            Requests(lambda: iter([b"h", b"."]), lambda: iter([b"h", b"!"]), lambda: iter([b"?"])),
        ),
        (
            "stream_stream",
            "Both",
            Requests(
                lambda: iter([b"h", b"."]), lambda: iter([b".", b"!"]), lambda: iter([b".", b"?"])
            ),
        ),
    ],
)


@KINDS
def test_a_successful_call(alike: Alike, kind: str, method: str, requests: Requests) -> None:
    """Response, metadata in both directions, and status are the same."""
    alike(lambda channel, _: all_of(channel, kind, method, requests.answered(), metadata=METADATA))


@KINDS
def test_a_failed_call(alike: Alike, kind: str, method: str, requests: Requests) -> None:
    """The error has the same status."""

    def program(channel: Any, _: Any) -> Any:
        return outcome(lambda: all_of(channel, kind, method, requests.refused(), metadata=METADATA))

    alike(program)


@KINDS
def test_a_call_reaches_its_deadline(
    alike: Alike, kind: str, method: str, requests: Requests
) -> None:
    """The call ends with DEADLINE_EXCEEDED."""

    def program(channel: Any, _: Any) -> Any:
        return outcome(lambda: all_of(channel, kind, method, requests.hanging(), timeout=0.5))[:2]

    alike(program)


@pytest.mark.parametrize(
    ("kind", "method", "request_of"),
    [
        ("unary_unary", "Unary", lambda orders: orders),
        ("stream_unary", "Requests", lambda orders: iter([bytes([one]) for one in orders])),
    ],
)
@pytest.mark.parametrize("orders", [b"..", b".!", b"x"])
def test_futures(alike: Alike, kind: str, method: str, request_of: Any, orders: bytes) -> None:
    """Result, error and callbacks are the same, also when asked twice."""

    def program(channel: Any, _: Any) -> Any:
        called: list[bool] = []
        over = threading.Event()
        future = getattr(channel, kind)(path(method)).future(request_of(orders), metadata=METADATA)
        future.add_done_callback(lambda given: called.append(given is future))
        future.add_done_callback(lambda _: over.set())
        seen = [outcome(lambda: future.result(timeout=60)), outcome(future.result)]
        assert over.wait(60)
        future.add_done_callback(lambda given: called.append(given.done()))
        error = future.exception()
        return (
            seen,
            error is None or status(error),
            future.traceback() is None,
            called,
            (future.done(), future.running(), future.cancelled(), future.cancel()),
            status(future)[1:6],
        )

    alike(program)


@pytest.mark.parametrize(
    ("kind", "method", "request_of"),
    [
        ("unary_unary", "Unary", lambda: b"?"),
        ("stream_unary", "Requests", lambda: iter([b"?"])),
    ],
)
def test_a_cancelled_future(alike: Alike, kind: str, method: str, request_of: Any) -> None:
    """A cancelled future raises in waiters and calls its callbacks."""

    def program(channel: Any, _: Any) -> Any:
        over = threading.Event()
        channel.unary_unary(path("Unary"))(b".")
        future = getattr(channel, kind)(path(method)).future(request_of(), timeout=600)
        future.add_done_callback(lambda _: over.set())
        waiting = outcome(lambda: future.result(timeout=0.05))
        said = future.cancel(), future.cancelled(), future.done()
        assert over.wait(60)
        ended = future.code(), future.details()
        return waiting, said, outcome(future.result), outcome(future.exception), ended

    alike(program)


@pytest.mark.parametrize(
    ("kind", "method", "request_of"),
    [
        ("unary_stream", "Responses", lambda: b".?"),
        ("stream_stream", "Both", lambda: iter([b".", b"?"])),
    ],
)
def test_a_cancelled_stream(alike: Alike, kind: str, method: str, request_of: Any) -> None:
    """Messages that were read stay read; the next read raises CANCELLED."""

    def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(), timeout=600)
        first = next(call)
        said = call.is_active(), call.cancel()
        return first, said, outcome(lambda: next(call)), call.cancelled(), call.code()

    alike(program)


def test_streams_are_read_message_by_message(alike: Alike) -> None:
    """Initial metadata comes first, then each message, then the end, which stays the end."""

    def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"h..", metadata=METADATA)
        initial = pairs(call.initial_metadata())
        read = [outcome(lambda: next(call)) for _ in range(4)]
        return initial, read, iter(call) is call, status(call)[1:]

    alike(program)


def test_callbacks_of_a_call(alike: Alike) -> None:
    """`add_callback` calls back when the call has ended, or returns False if it has."""

    def program(channel: Any, _: Any) -> Any:
        over = threading.Event()
        call = channel.unary_stream(path("Responses"))(b"..", timeout=60)
        added = call.add_callback(over.set)
        messages = list(call)
        call.code()
        return added, over.wait(60), messages, call.add_callback(over.set)

    alike(program)


@KINDS
def test_compression_and_keywords(alike: Alike, kind: str, method: str, requests: Requests) -> None:
    """Every keyword of grpc is accepted."""

    def program(channel: Any, _: Any) -> Any:
        return all_of(
            channel,
            kind,
            method,
            requests.answered(),
            timeout=60,
            metadata=None,
            credentials=None,
            wait_for_ready=True,
            compression=grpc.Compression.Gzip,
        )

    alike(program)


def test_serializers(alike: Alike) -> None:
    """Messages have the program's types; an error of a serializer is INTERNAL."""

    def refuse(_: object) -> Any:
        raise ValueError("the program's own")

    def program(channel: Any, _: Any) -> Any:
        unary, own = channel.unary_unary, (str.encode, bytes.decode)
        return (
            unary(path("Unary"), *own)("."),
            list(channel.unary_stream(path("Responses"), *own)("..")),
            outcome(lambda: unary(path("Unary"), refuse)("."))[:3],
            outcome(lambda: unary(path("Unary"), None, refuse)(b"."))[:3],
        )

    alike(program)


def test_a_closed_channel(alike: Alike) -> None:
    """Every kind of call raises ValueError; closing twice does nothing."""

    def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        unary(b".")
        channel.close()
        channel.close()
        return (
            outcome(lambda: unary(b"."))[0],
            outcome(lambda: channel.unary_stream(path("Responses"))(b"."))[0],
            outcome(lambda: channel.stream_stream(path("Both"))(iter([b"."])))[0],
            outcome(lambda: channel.stream_unary(path("Requests"))(iter([b"."])))[0],
        )

    alike(program)


def test_closing_cancels_calls_in_flight(alike: Alike) -> None:
    """Calls in flight are cancelled when the channel is closed."""

    def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b".?", timeout=600)
        first = next(call)
        channel.close()
        return first, outcome(lambda: next(call))[1]

    alike(program)


def test_the_types(alike: Alike) -> None:
    """The calls have grpc's interfaces."""

    def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        future = unary.future(b".")
        call = unary.with_call(b".")[1]
        stream = channel.unary_stream(path("Responses"))(b".")
        list(stream)
        return (
            isinstance(channel, grpc.Channel),
            isinstance(unary, grpc.UnaryUnaryMultiCallable),
            isinstance(future, grpc.Future) and isinstance(future, grpc.Call),
            isinstance(call, grpc.Call),
            isinstance(stream, grpc.Call),
            future.result(),
        )

    alike(program)
