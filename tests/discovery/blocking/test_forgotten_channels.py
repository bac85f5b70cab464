"""A blocking channel that a program drops without closing it ends its threads, as grpc's does."""

import gc
import threading
from typing import Any

from discovery import blocking
from tests.discovery.blocking.conftest import StartInBackground
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import SERVING, path

_BOUND_S = 60.0


def _threads() -> set[threading.Thread]:
    """The threads of all channels."""
    return {one for one in threading.enumerate() if one.name.startswith("discovery-")}


def _end(threads: set[threading.Thread]) -> bool:
    """Whether these threads end."""
    gc.collect()
    for one in threads:
        one.join(_BOUND_S)
    return not any(one.is_alive() for one in threads)


def test_dropped_channels_end_their_threads(start: StartInBackground) -> None:
    """The threads of three channels end: resolvers, health, and that of a subscription."""
    server = start("a", health=SERVING)
    before = _threads()
    channels = [blocking.open_channel(f"static:///{server.address}") for _ in range(3)]
    for channel in channels:
        ready(channel, 1)
        channel.subscribe(lambda _: None)
        assert channel.unary_unary(path("Get"))(b"x") == b"a:x"
        assert channel.unary_unary(path("Get")).future(b"x").result() == b"a:x"
        assert len(list(channel.unary_stream(path("Watch"))(b"x"))) == 3
    threads = _threads() - before
    assert len(threads) >= 9

    del channels, channel

    assert _end(threads)


def test_a_call_outlives_its_dropped_channel(start: StartInBackground) -> None:
    """A call goes on when the program keeps nothing but the call."""
    target = f"static:///{start('a').address}"

    calls: list[Any] = [
        blocking.open_channel(target).unary_stream(path("Watch"))(b"x"),
        blocking.open_channel(target).stream_stream(path("Chat"))(iter([b"x"])),
    ]
    upload = blocking.open_channel(target).stream_unary(path("Upload")).future(iter([b"x"]))
    unary = blocking.open_channel(target).unary_unary(path("Get")).future(b"x")
    gc.collect()

    assert [len(list(call)) for call in calls] == [3, 1]
    assert (unary.result(), upload.result()) == (b"a:x", b"a:x")
