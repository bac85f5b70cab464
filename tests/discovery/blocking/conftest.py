"""Probe servers in a background loop for synchronous tests, and channels to them."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from discovery import blocking
from tests.support.discovery import probe_service
from tests.support.discovery.blocking.background_loop import Background
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
