"""Servers and channels of discovery's tests."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

import discovery
from tests.support.discovery import probe_service
from tests.support.discovery.probe_service import Open, Probe, Start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Runs a server, called by its name, until the end of the test."""
    async with AsyncExitStack() as stack:

        async def start_one(name: str, **options: Any) -> Probe:
            return await stack.enter_async_context(probe_service.running(name, **options))

        yield start_one


@pytest.fixture
async def open_to() -> AsyncIterator[Open]:
    """Opens a channel to servers that stay where they are."""
    async with AsyncExitStack() as stack:

        def open_one(*probes: Probe, **options: Any) -> discovery.Channel:
            options.setdefault("rng", random.Random(7))
            target = "static:///" + ",".join(probe.address for probe in probes)
            channel = discovery.open_channel(target, **options)
            stack.push_async_callback(channel.close)
            return channel

        yield open_one
