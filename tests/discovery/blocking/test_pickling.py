"""Errors of calls survive the way to another process, as Celery and process pools send them."""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

import discovery
from discovery import blocking, error_info
from discovery.error_info import DETAILS_KEY
from tests.support.discovery.dropin.scripted_server import (
    NO_LISTENER,
    SERVICE,
    ScriptedServer,
    path,
)

# How a call of each kind is made that the server refuses; each raises.
REFUSED: dict[str, Callable[[Any], Any]] = {
    "unary_unary": lambda channel: channel.unary_unary(path("Unary"))(b"!"),
    "future": lambda channel: channel.unary_unary(path("Unary")).future(b"!").result(),
    "unary_stream": lambda channel: list(channel.unary_stream(path("Responses"))(b"!")),
    "stream_unary": lambda channel: channel.stream_unary(path("Requests"))(iter([b"!"])),
    "stream_stream": lambda channel: list(channel.stream_stream(path("Both"))(iter([b"!"]))),
}


def _status(error: Any) -> tuple[Any, ...]:
    trailing = tuple((key, value) for key, value in error.trailing_metadata())
    return error.code(), error.details(), trailing, error.debug_error_string()


def _error(function: Callable[[], Any]) -> Any:
    with pytest.raises(grpc.RpcError) as refused:
        function()
    return refused.value


@pytest.mark.parametrize("kind", REFUSED)
def test_a_servers_refusal(server: ScriptedServer, kind: str) -> None:
    """Code, details and metadata are the same after pickling, also twice."""
    with blocking.open_channel(f"static:///{server.address}") as channel:
        error = _error(lambda: REFUSED[kind](channel))

        again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))

        assert isinstance(again, grpc.RpcError)
        assert _status(again) == _status(error)
        assert ("b-bin", b"\0") in _status(again)[2]


@pytest.mark.parametrize("reason", ["no instance", "no time"])
def test_a_refusal_on_this_side(reason: str) -> None:
    """An error of a call that was not sent keeps its class as well."""
    timeout = 0 if reason == "no time" else 20
    with blocking.open_channel(f"static:///{NO_LISTENER}") as channel:
        error = _error(lambda: channel.unary_unary(path("Unary"))(b".", timeout=timeout))

    again = pickle.loads(pickle.dumps(error))

    assert (type(again), _status(again)) == (type(error), _status(error))


def test_a_call_in_flight_is_refused(server: ScriptedServer) -> None:
    """Pickling a call that has not ended raises and does not wait for its end."""
    with blocking.open_channel(f"static:///{server.address}") as channel:
        call = channel.stream_stream(path("Both"))(iter([b"?"]))

        with pytest.raises(TypeError, match="before it has ended"):
            pickle.dumps(call)


def test_error_info_survives_a_process_pool() -> None:
    """`error_info` reads the same of an error that a worker process raised."""
    info = ErrorInfo(reason="BUSY", domain="example.com")
    with (
        _refusing_server(info) as address,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes,
    ):
        error = processes.submit(_call, address).exception(60)

    assert isinstance(error, grpc.RpcError)
    assert error_info(error) == discovery.ErrorInfo("BUSY", "example.com", {})


def _call(address: str) -> None:
    """Make a call in a worker process."""
    with blocking.open_channel(f"static:///{address}") as channel:
        channel.unary_unary(path("Unary"))(b".")


@contextmanager
def _refusing_server(info: ErrorInfo) -> Iterator[str]:
    """A server that refuses every call with this reason."""
    status = Status(code=10, message="no")
    status.details.add().Pack(info)
    trailers = ((DETAILS_KEY, status.SerializeToString()),)

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata(trailers)
        context.abort(grpc.StatusCode.ABORTED, "no")
        return b""

    server = grpc.server(ThreadPoolExecutor(1), options=(("grpc.so_reuseport", 0),))
    handlers = {"Unary": grpc.unary_unary_rpc_method_handler(refuse)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)
