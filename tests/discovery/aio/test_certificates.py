"""A channel with certificates reaches only the service that was asked for, also over rotations."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count

import grpc
import pytest

import discovery
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.certificates.tls_server import (
    ECHO,
    WHO,
    TlsServer,
    channel_credentials,
    tls_server,
)
from tests.support.discovery.probe_service import subchannels

AUTHORITY = Authority()
# Made when the tests are collected, long before they run.
LONG = timedelta(hours=12)
WHAT_IS_MISSING = "does it want TLS, or another certificate"

OpenOrder = Callable[..., discovery.Channel]


@pytest.fixture
def ours() -> MemoryCertificates:
    """The certificates of the caller, the service "payment"."""
    return MemoryCertificates(AUTHORITY.issue("payment"))


@pytest.fixture
def theirs() -> MemoryCertificates:
    """The certificates of the servers, of the service "order"."""
    return MemoryCertificates(AUTHORITY.issue("order"))


@pytest.fixture
async def server(theirs: MemoryCertificates) -> AsyncIterator[TlsServer]:
    """A server of "order"."""
    async with tls_server(theirs) as running:
        yield running


@pytest.fixture
async def open_order(ours: MemoryCertificates) -> AsyncIterator[OpenOrder]:
    """Opens a channel to these servers, registered as instances of "order"."""
    async with AsyncExitStack() as stack:

        def open_one(*servers: TlsServer) -> discovery.Channel:
            target = "static:///" + ",".join(one.address for one in servers)
            channel = discovery.open_channel(target, authority="order", certificates=ours)
            stack.push_async_callback(channel.close)
            return channel

        yield open_one


async def test_both_sides_know_each_other(server: TlsServer, ours: MemoryCertificates) -> None:
    """The server proves the name in the target, and learns which service calls."""
    registry = discovery.MemoryRegistry()
    host, _, port = server.address.partition(":")
    await registry.register(discovery.Instance("a", "order", host, int(port)))

    async with discovery.open_channel(
        "memory:///order", watcher=registry, certificates=ours
    ) as channel:
        assert await channel.unary_unary(WHO)(b"") == b"payment"


@pytest.mark.parametrize(
    ("stranger", "why"),
    [
        (
            AUTHORITY.issue("inventory", not_after=LONG),
            "its certificate doesn't name the service asked for",
        ),
        (
            Authority("other.test").issue("order", not_after=LONG),
            "its certificate isn't signed by an authority",
        ),
        (
            AUTHORITY.issue("order", not_before=-timedelta(days=2), not_after=-timedelta(days=1)),
            "certificate has expired",
        ),
    ],
    ids=["another service", "another trust domain", "an expired certificate"],
)
async def test_a_server_that_is_not_the_service_is_never_called(
    open_order: OpenOrder, stranger: discovery.Certificates, why: str
) -> None:
    """Such a call is UNAVAILABLE; its details and the explanation say why."""
    trusting = discovery.Certificates(
        stranger.chain, stranger.key, stranger.roots + AUTHORITY.roots
    )
    async with tls_server(MemoryCertificates(trusting)) as server:
        channel = open_order(server)

        with pytest.raises(discovery.NoInstanceError) as refused:
            await channel.unary_unary(WHO)(b"")

        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert why in (refused.value.details() or "")
        (instance,) = channel.explain().instances
        assert why in (instance.cause or "")
        assert server.callers == []


@pytest.mark.parametrize("tls", [False, True])
async def test_a_caller_without_a_certificate_is_told_what_may_be_missing(
    server: TlsServer, ours: MemoryCertificates, *, tls: bool
) -> None:
    """The server just ends the connection, with and without TLS; the error says what to look at."""
    credentials = grpc.ssl_channel_credentials(ours.current.roots) if tls else None
    async with discovery.open_channel(
        f"static:///{server.address}",
        credentials=credentials,
        authority=ours.server_name("order"),
    ) as channel:
        with pytest.raises(discovery.NoInstanceError, match=WHAT_IS_MISSING):
            await channel.unary_unary(WHO)(b"")

        assert WHAT_IS_MISSING in (channel.explain().instances[0].cause or "")


async def test_a_server_without_tls_is_never_called(open_order: OpenOrder) -> None:
    """A server in plaintext is told from one that refuses: it doesn't speak TLS."""
    server = grpc.aio.server()
    running = TlsServer(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    try:
        with pytest.raises(discovery.NoInstanceError, match="it doesn't speak TLS"):
            await open_order(running).unary_unary(WHO)(b"")
    finally:
        await server.stop(None)


async def test_calls_avoid_a_stranger_among_the_instances(
    open_order: OpenOrder, server: TlsServer
) -> None:
    """An address that another service has taken over gets no call, the others get them all."""
    async with tls_server(MemoryCertificates(AUTHORITY.issue("inventory"))) as stranger:
        channel = open_order(stranger, server)
        await channel.settled()

        for _ in range(20):
            assert await channel.unary_unary(WHO)(b"") == b"payment"
        assert stranger.callers == []


async def test_a_dozen_rotations_under_load_fail_no_call(
    open_order: OpenOrder, ours: MemoryCertificates, theirs: MemoryCertificates
) -> None:
    """Certificates of both sides change, and then their authority too; no call notices it."""
    async with tls_server(theirs) as one, tls_server(theirs) as other:
        channel = open_order(one, other)
        over = asyncio.Event()
        callers = [asyncio.create_task(_call_until(over, channel)) for _ in range(8)]
        await channel.settled()
        for rotated in _rotations(12):
            before = set(subchannels(channel))
            assert len(before) == 2
            theirs.rotate(rotated("order"))
            ours.rotate(rotated("payment"))
            while before & set(subchannels(channel)):
                await channel._balancer.change()
        over.set()
        calls = [await caller for caller in callers]

    assert all(calls)
    assert len(one.callers) + len(other.callers) == sum(calls)


async def _call_until(over: asyncio.Event, channel: discovery.Channel) -> int:
    """Call one by one, and return how many calls were answered. Raises the error of any."""
    # No second attempt hides a failure: nothing says that the method is safe.
    call = channel.unary_unary(WHO)
    for number in count(1):
        assert await call(b"") == b"payment"
        if over.is_set():
            return number
    raise AssertionError


def _rotations(number: int) -> list[Callable[[str], discovery.Certificates]]:
    """How certificates are issued after each rotation; in the end by another authority.

    The other root is trusted before the first certificate that it has signed, and the old root
    until after the last one.
    """
    successor = Authority()
    both = AUTHORITY.roots + successor.roots

    def issue(authority: Authority, roots: bytes) -> Callable[[str], discovery.Certificates]:
        def issued(service: str) -> discovery.Certificates:
            made = authority.issue(service)
            return discovery.Certificates(made.chain, made.key, roots)

        return issued

    return [
        *[issue(AUTHORITY, AUTHORITY.roots)] * (number - 3),
        issue(AUTHORITY, both),
        issue(successor, both),
        issue(successor, successor.roots),
    ]


async def test_a_stream_outlives_the_certificate_it_began_with(
    open_order: OpenOrder, server: TlsServer, ours: MemoryCertificates
) -> None:
    """A call goes on over its connection, which is closed when it has ended."""
    channel = open_order(server)
    stream = channel.stream_stream(ECHO)()
    await stream.write(b"before")
    assert await stream.read() == b"before"
    (old,) = subchannels(channel)

    ours.rotate(AUTHORITY.issue("payment"))
    while subchannels(channel) == [old]:
        await channel._balancer.change()
    await stream.write(b"after")
    assert await stream.read() == b"after"
    assert old in channel._balancer._replaced.values()

    (retiring,) = channel._balancer._replaced
    await stream.done_writing()
    assert await stream.code() is grpc.StatusCode.OK
    await asyncio.wait_for(retiring, 60)
    assert old._native.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_a_connection_stays_while_the_server_refuses_its_successor(
    open_order: OpenOrder, server: TlsServer, ours: MemoryCertificates, theirs: MemoryCertificates
) -> None:
    """New certificates that servers don't trust yet harm nobody; they are tried again later."""
    channel = open_order(server)
    call = channel.unary_unary(WHO)
    assert await call(b"") == b"payment"
    (old,) = subchannels(channel)
    successor = Authority()
    made = successor.issue("payment")

    ours.rotate(discovery.Certificates(made.chain, made.key, AUTHORITY.roots))
    for _ in range(50):
        assert await call(b"") == b"payment"
        assert subchannels(channel) == [old]
    trusting = theirs.current
    theirs.rotate(
        discovery.Certificates(trusting.chain, trusting.key, AUTHORITY.roots + successor.roots)
    )
    while subchannels(channel) == [old]:
        await channel._balancer.change()
    assert await call(b"") == b"payment"


async def test_closing_ends_a_replacement(
    open_order: OpenOrder, server: TlsServer, ours: MemoryCertificates
) -> None:
    """A channel that is closed while it renews its connections leaves none behind."""
    channel = open_order(server)
    await channel.channel_ready()
    ours.rotate(AUTHORITY.issue("payment"))

    await channel.close()

    assert not channel._balancer._replaced


async def test_what_secures_connections_is_said_once(ours: MemoryCertificates) -> None:
    """Credentials or a name of one's own beside the certificates are refused."""
    credentials = channel_credentials(ours.current)
    with pytest.raises(ValueError, match="not both"):
        discovery.open_channel("consul:///order", certificates=ours, credentials=credentials)
    options = [("grpc.ssl_target_name_override", "order")]
    with pytest.raises(ValueError, match="can't be given with `certificates`"):
        discovery.open_channel("consul:///order", certificates=ours, options=options)


@pytest.mark.parametrize("target", ["static:///127.0.0.1:1", "dns:///localhost:1", "unix:/nowhere"])
async def test_addresses_are_no_service(ours: MemoryCertificates, target: str) -> None:
    """A target that names addresses only needs an authority: whom to expect there."""
    with pytest.raises(discovery.InvalidCertificatesError, match="name the service by `authority`"):
        discovery.open_channel(target, certificates=ours)
