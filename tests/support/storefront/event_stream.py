"""Reads a stream of server-sent events, as a browser does."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.limits import WAIT_S

# A stream is quiet until something happens.
_TIMEOUT = httpx2.Timeout(WAIT_S)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event with data; `event_id` is "" where the event has none."""

    event: str
    event_id: str
    data: str

    @property
    def content(self) -> Any:
        """What the data say, where they are JSON."""
        return json.loads(self.data)


@dataclass(slots=True)
class EventStream:
    """An open stream; `retry_ms` is the last that was told, `comments` counts heartbeats too."""

    response: httpx2.Response
    retry_ms: int = 0
    comments: int = 0

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Yield each event that has data, until the stream ends."""
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line.startswith(":"):
                self.comments += 1
            elif name == "retry":
                self.retry_ms = int(value)
            elif name == "data" and "data" in fields:
                fields["data"] += f"\n{value}"
            elif line:
                fields[name] = value
            else:
                if "data" in fields:
                    named = fields.get("event", "message"), fields.get("id", ""), fields["data"]
                    yield StreamEvent(*named)
                fields = {}


@asynccontextmanager
async def open_stream(
    http: httpx2.AsyncClient, url: str, *, last_event_id: str = "", **headers: str
) -> AsyncIterator[EventStream]:
    """Open a stream; close it at the end of the block."""
    sent = {"accept": "text/event-stream", **headers}
    if last_event_id:
        sent["last-event-id"] = last_event_id
    async with http.stream("GET", url, headers=sent, timeout=_TIMEOUT) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventStream(response)
