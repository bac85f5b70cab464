"""Writes intentions into a real Consul agent, as an operator does."""

from typing import Any

import aiohttp

_PATH = "/v1/connect/intentions"


class IntentionWriter:
    """Writes to the agent at `address` (host:port); the last write about a pair counts."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}{_PATH}"
        self._ids: dict[tuple[str, str], str] = {}

    async def write(self, source: str, destination: str, *, allowed: bool) -> None:
        """Allow or deny calls from `source` to `destination`; "*" is any service."""
        body = {
            "SourceName": source,
            "DestinationName": destination,
            "SourceType": "consul",
            "Action": "allow" if allowed else "deny",
        }
        known = self._ids.get((source, destination))
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            if known is None:
                async with session.post(self._url, json=body) as answer:
                    self._ids[source, destination] = (await answer.json())["ID"]
            else:
                async with session.put(f"{self._url}/{known}", json=body):
                    pass

    async def remove(self, source: str, destination: str) -> None:
        """Remove what was written about this pair."""
        url = f"{self._url}/{self._ids.pop((source, destination))}"
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.delete(url):
            pass

    async def allows(self, source: str, destination: str) -> bool:
        """Consul's own decision."""
        params = {"source": source, "destination": destination}
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.get(f"{self._url}/check", params=params) as answer,
        ):
            decision: dict[str, Any] = await answer.json()
        return bool(decision["Allowed"])
