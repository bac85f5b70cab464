"""Probe servers in a background loop for synchronous tests, and channels to them."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from discovery import blocking
from tests.support.discovery import probe_service
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.call_outcome import Alike, Program
from tests.support.discovery.dropin.scripted_server import ScriptedServer, scripted_server
from tests.support.discovery.probe_service import Probe

StartInBackground = Callable[..., Probe]
OpenBlocking = Callable[..., blocking.BlockingChannel]


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    """The event loop of the servers."""
    running = Background()
    yield running
    running.close()


@pytest.fixture
def start(background: Background) -> Iterator[StartInBackground]:
    """Starts a probe server that runs until the end of the test."""
    with ExitStack() as stack:

        async def made(name: str, **options: Any) -> Any:
            return probe_service.running(name, **options)

        yield lambda name, **options: stack.enter_context(
            background.entered(background.run(made(name, **options)))
        )


@pytest.fixture
def open_to() -> Iterator[OpenBlocking]:
    """Opens a channel to servers with fixed addresses."""
    with ExitStack() as stack:

        def open_one(*probes: Probe, **options: Any) -> blocking.BlockingChannel:
            options.setdefault("rng", random.Random(7))
            target = "static:///" + ",".join(probe.address for probe in probes)
            return stack.enter_context(blocking.open_channel(target, **options))

        yield open_one


@pytest.fixture
def server(background: Background) -> Iterator[ScriptedServer]:
    """The server of both channels."""
    with background.entered(scripted_server()) as running:
        yield running


@pytest.fixture
def alike(server: ScriptedServer) -> Alike:
    """Runs a program with both channels and compares what it observed."""

    def run(program: Program) -> None:
        with grpc.insecure_channel(server.address) as channel:
            native = program(channel, server)
        target = f"static:///{server.address}"
        with blocking.open_channel(target, rng=random.Random(7)) as channel:
            ours = program(channel, server)
        if ours != native:
            pytest.fail(f"\nours:   {ours!r}\nnative: {native!r}")
        assert native is not None, "the program saw nothing"

    return run
