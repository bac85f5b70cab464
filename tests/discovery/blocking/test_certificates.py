"""A blocking channel with certificates follows the same rules as the asynchronous one."""

import threading
from collections.abc import Iterator

import grpc
import pytest

import discovery
from discovery import blocking
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.certificates.tls_server import ECHO, WHO, TlsServer, tls_server
from tests.support.discovery.blocking.background_loop import Background

AUTHORITY = Authority()
WHAT_IS_MISSING = "does it want TLS, or another certificate"


@pytest.fixture
def ours() -> MemoryCertificates:
    """The certificates of the caller, the service "payment"."""
    return MemoryCertificates(AUTHORITY.issue("payment"))


@pytest.fixture
def theirs() -> MemoryCertificates:
    """The certificates of the server, of the service "order"."""
    return MemoryCertificates(AUTHORITY.issue("order"))


@pytest.fixture
def server(background: Background, theirs: MemoryCertificates) -> Iterator[TlsServer]:
    """A server of "order"."""
    with background.entered(tls_server(theirs)) as running:
        yield running


def opened(
    server: TlsServer, ours: MemoryCertificates, *, service: str = "order"
) -> blocking.BlockingChannel:
    """A channel to the server, which must be of the service."""
    target = f"static:///{server.address}"
    return blocking.open_channel(target, authority=service, certificates=ours)


def test_both_sides_know_each_other(server: TlsServer, ours: MemoryCertificates) -> None:
    """The server proves its service's name, and learns which service calls."""
    with opened(server, ours) as channel:
        assert channel.unary_unary(WHO)(b"") == b"payment"


def test_a_server_that_is_not_the_service_is_never_called(
    server: TlsServer, ours: MemoryCertificates
) -> None:
    """Such a call is UNAVAILABLE; its details and the explanation say why."""
    why = "its certificate doesn't name the service asked for"
    with opened(server, ours, service="inventory") as channel:
        with pytest.raises(discovery.NoInstanceError) as refused:
            channel.unary_unary(WHO)(b"")
        (instance,) = channel.explain().instances

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert why in (refused.value.details() or "")
    assert why in (instance.cause or "")
    assert server.callers == []


@pytest.mark.parametrize("tls", [False, True])
def test_a_caller_without_a_certificate_is_told_what_may_be_missing(
    server: TlsServer, ours: MemoryCertificates, *, tls: bool
) -> None:
    """The server just ends the connection, with and without TLS; the error says what to look at."""
    credentials = grpc.ssl_channel_credentials(ours.current.roots) if tls else None
    with blocking.open_channel(
        f"static:///{server.address}",
        credentials=credentials,
        authority=ours.server_name("order"),
    ) as channel:
        with pytest.raises(discovery.NoInstanceError, match=WHAT_IS_MISSING):
            channel.unary_unary(WHO)(b"")

        assert WHAT_IS_MISSING in (channel.explain().instances[0].cause or "")


def test_a_dozen_rotations_under_load_fail_no_call(
    server: TlsServer, ours: MemoryCertificates, theirs: MemoryCertificates
) -> None:
    """Certificates of both sides change, and no call notices it."""
    failures: list[Exception] = []
    over = threading.Event()
    with opened(server, ours) as channel:
        call = channel.unary_unary(WHO)
        call(b"")

        def call_until_over() -> None:
            while not over.is_set():
                try:
                    call(b"")
                except grpc.RpcError as error:
                    failures.append(error)

        callers = [threading.Thread(target=call_until_over) for _ in range(4)]
        for caller in callers:
            caller.start()
        for _ in range(12):
            (old,) = channel.process_state().balancer.subchannels
            theirs.rotate(AUTHORITY.issue("order"))
            ours.rotate(AUTHORITY.issue("payment"))
            _wait_for_successor(channel, old)
        over.set()
        for caller in callers:
            caller.join()

    assert failures == []


def test_a_stream_outlives_the_certificate_it_began_with(
    server: TlsServer, ours: MemoryCertificates
) -> None:
    """A call goes on over its connection, which is closed when it has ended."""
    with opened(server, ours) as channel:
        balancer = channel.process_state().balancer
        may_end = threading.Event()

        def requests() -> Iterator[bytes]:
            yield b"before"
            may_end.wait(60)
            yield b"after"

        stream = channel.stream_stream(ECHO)(requests())
        assert next(stream) == b"before"
        (old,) = balancer.subchannels

        ours.rotate(AUTHORITY.issue("payment"))
        _wait_for_successor(channel, old)
        assert old in balancer._replaced
        may_end.set()

        assert list(stream) == [b"after"]
        with balancer.changed:
            assert balancer.changed.wait_for(lambda: old not in balancer._replaced, 60)


def _wait_for_successor(channel: blocking.BlockingChannel, old: object) -> None:
    balancer = channel.process_state().balancer
    with balancer.changed:
        assert balancer.changed.wait_for(lambda: old not in balancer.subchannels, 60)
