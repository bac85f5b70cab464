"""What happens when a task of the control plane fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from discovery.registry.memory import MemoryRegistry
from services.edge.edge import control_plane
from services.edge.resources.filters.token_check import AcceptedTokens
from tests.support.edge.running_edge import edge_of, settings_at_free_ports


async def no_tokens() -> AsyncIterator[AcceptedTokens]:
    """Keys that end with a fault nobody expected."""
    raise LookupError("a fault")
    yield  # makes this a generator


async def test_a_failed_task_ends_the_control_plane(tmp_path: Path) -> None:
    """The block ends with the error, so that whoever looks after the program starts it again."""
    address = f"unix:{tmp_path / 'xds.sock'}"
    arguments = edge_of(settings_at_free_ports(), MemoryRegistry())
    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with control_plane([address], **arguments, tokens=no_tokens()):
            await asyncio.Event().wait()
