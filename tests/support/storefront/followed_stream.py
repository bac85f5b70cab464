"""A client that follows a live stream to its end, and comes again whenever it breaks off."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from discovery.clock import Clock
from tests.support.limits import WAIT_S
from tests.support.storefront.event_stream import EventStream

_TIMEOUT = httpx2.Timeout(WAIT_S)
_AGAIN_S = 0.1


@dataclass(slots=True)
class FollowedStream:
    """The ids of all events that were told, over all connections."""

    http: httpx2.AsyncClient
    path: str
    headers: Mapping[str, str]
    clock: Clock
    versions: list[int] = field(default_factory=list)
    connections: int = 0

    async def follow(self) -> None:
        """Return after the last event of the stream."""
        while not await self._until_broken():
            await self.clock.sleep(_AGAIN_S)

    async def _until_broken(self) -> bool:
        """Whether it came to the end."""
        headers = {**self.headers, "accept": "text/event-stream"}
        if self.versions:
            headers["last-event-id"] = str(self.versions[-1])
        try:
            async with self.http.stream(
                "GET", self.path, headers=headers, timeout=_TIMEOUT
            ) as response:
                if response.is_server_error:
                    return False
                response.raise_for_status()
                self.connections += 1
                async for event in EventStream(response).events():
                    if event.event == "end":
                        return True
                    self.versions.append(int(event.event_id))
        except httpx2.TransportError:
            pass
        return False
