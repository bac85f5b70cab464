"""Keepalive pings suit a server that nobody configured."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from discovery.config.channel_options import channel_options
from tests.support.discovery.probe_service import Open, Probe, Start, path

# What a gRPC server allows by default (gRFC A8).
ALLOWED_EVERY_MS = 300_000
TCP_USER_TIMEOUT = 18
TCP_FAMILIES = (socket.AF_INET, socket.AF_INET6)

IMPATIENT = (
    ("grpc.keepalive_time_ms", 20),
    # By default a gRPC client sends two pings without data, and then one a minute.
    ("grpc.http2.max_pings_without_data", 0),
)


def test_pings_are_rarer_than_a_default_server_allows() -> None:
    """The margin is more than the network's jitter."""
    options = dict(channel_options("order", ()))

    assert options["grpc.keepalive_time_ms"] >= 1.05 * ALLOWED_EVERY_MS


async def test_a_default_server_ends_a_connection_with_early_pings(
    start: Start, open_to: Open
) -> None:
    """That is why the default is what it is; a channel's own options come first."""
    server = await start("a")
    channel = open_to(server, options=IMPATIENT)
    server.gate.clear()

    with pytest.raises(grpc.aio.AioRpcError, match="Too many pings"):
        await channel.unary_unary(path("Post"))(b"x", timeout=60.0)


async def test_data_that_is_not_acknowledged_ends_a_connection_after_10_s(
    start: Start, open_to: Open
) -> None:
    """A peer behind a black hole is noticed by TCP_USER_TIMEOUT, which needs keepalive to be on."""
    server = await start("a")
    channel = open_to(server)
    assert await channel.unary_unary(path("Post"))(b"x") == b"a:x"

    assert 10_000 in set(user_timeouts_ms(server))


def user_timeouts_ms(server: Probe) -> Iterator[int]:
    """TCP_USER_TIMEOUT of this process's connections to a server."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            one = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue
        with one:
            is_tcp = one.family in TCP_FAMILIES and one.type is socket.SOCK_STREAM
            with suppress(OSError):  # it listens, or has ended
                if is_tcp and one.getpeername()[1] == server.port:
                    yield one.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT)
