"""The metrics of a process at a port, as `__main__` exports them."""

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from services.chassis.ids import IdFactory
from services.chassis.server import instrumentation
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the metrics are, and what the parts of the process get."""

    port: int
    recorders: Recorders


@asynccontextmanager
async def exported_metrics(name: str = "echo", **settings: Any) -> AsyncIterator[Exported]:
    """Export the metrics of an instance of `name` at a free port."""
    (port,) = free_ports(1)
    async with exporting(name, metrics_port=port, **settings) as recorders:
        assert recorders is not None
        yield Exported(port, recorders)


def exporting(name: str = "echo", **settings: Any) -> AbstractAsyncContextManager[Recorders | None]:
    """Export what the settings say, of an instance of `name`."""
    clock = SystemClock()
    return instrumentation.exporting(
        name,
        ServerSettings(instance_id=f"{name}-1"),
        TelemetrySettings(**settings),
        clock=clock,
        ids=IdFactory(clock=clock, rng=random.Random(1)),
    )
