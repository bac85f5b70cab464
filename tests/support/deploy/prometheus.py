"""A real Prometheus, which scrapes the processes of a test every second and evaluates rules."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from scripts.tools.paths import tool_path
from tests.support.limits import WAIT_S

_ASK_AGAIN_S = 0.5
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    client: httpx2.AsyncClient

    async def query(self, expression: str) -> list[Any]:
        """The result of an expression. Raises AssertionError if it isn't one."""
        answer = (await self.client.get("/api/v1/query", params={"query": expression})).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[Any] = answer["data"]["result"]
        return result

    async def firing(self, alert: str) -> list[dict[str, str]]:
        """The labels of the alerts of that name that fire now."""
        answer = (await self.client.get("/api/v1/alerts")).json()
        return [
            each["labels"]
            for each in answer["data"]["alerts"]
            if each["labels"]["alertname"] == alert and each["state"] == "firing"
        ]

    async def until_firing(self, alert: str, **labels: str) -> None:
        """Wait until the alert fires with these labels."""
        await _until(lambda: self._fires(alert, labels))

    async def until_over(self, alert: str, **labels: str) -> None:
        """Wait until the alert doesn't fire with these labels any more."""

        async def is_over() -> bool:
            return not await self._fires(alert, labels)

        await _until(is_over)

    async def until_some(self, expression: str) -> None:
        """Wait until an expression has a result."""

        async def has_some() -> bool:
            return bool(await self.query(expression))

        await _until(has_some)

    async def _fires(self, alert: str, labels: dict[str, str]) -> bool:
        return any(labels.items() <= found.items() for found in await self.firing(alert))


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: another process decides, and tells nobody."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():
            await _CLOCK.sleep(_ASK_AGAIN_S)


@asynccontextmanager
async def prometheus(
    folder: Path, *, rules: str, ports: Sequence[int]
) -> AsyncIterator[Prometheus]:
    """Run a server that scrapes these ports and evaluates these rules, until the block ends."""
    (port,) = free_ports(1)
    (folder / "rules.yaml").write_text(rules)
    targets = [f"127.0.0.1:{each}" for each in ports]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "all", "static_configs": [{"targets": targets}]}],
    }
    # JSON is YAML.
    (folder / "prometheus.yaml").write_text(json.dumps(configuration))
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            tool_path("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _until(lambda: _is_ready(client))
            yield Prometheus(client)
    finally:
        process.kill()
        await process.wait()


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).is_success
    except httpx2.TransportError:
        return False
