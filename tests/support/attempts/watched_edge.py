"""A real Envoy that asks for tokens, before one server that records whatever reaches it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.suite.cluster import SERVICES
from tests.support.attempts.guarded_edge import UNLIMITED
from tests.support.edge.people import People
from tests.support.edge.protocols import sent
from tests.support.edge.recording_service import RecordingService, recording_service
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    running_edge,
    settings_at_free_ports,
)

# Settings by which nobody is waited for, so that also an attempt without an end has one.
IMPATIENT = dict.fromkeys(("headers_timeout_s", "request_timeout_s", "connection_idle_s"), 2)


@dataclass(frozen=True, slots=True)
class WatchedEdge:
    """The edge, the server that stands for every service, and the issuer of tokens."""

    edge: RunningEdge
    server: RecordingService
    people: People

    def token(self, *roles: str, subject: str = "alice") -> bytes:
        """The header with a token for a person who has these roles."""
        return f"authorization: {self.people.headers(subject, *roles)['authorization']}".encode()

    async def taken(self) -> list[tuple[str, dict[str, str | bytes]]]:
        """The calls that reached the server since this was asked last.

        A call of its own goes the same way; when it is there, all earlier ones are.
        """
        headers = self.people.headers("olga", "OPERATOR")
        await sent(self.edge, "GET", "/v1/sagas/last", headers=headers)
        calls = list(self.server.calls)
        self.server.calls.clear()
        name, metadata = calls.pop()
        assert (name, metadata["authorization"]) == ("GetSaga", headers["authorization"])
        return calls


@asynccontextmanager
async def watched_edge(folder: Path, **changes: object) -> AsyncIterator[WatchedEdge]:
    """Start all of it, with these changes of the edge's settings."""
    settings = settings_at_free_ports(**{**UNLIMITED, **changes})
    people = People()
    async with recording_service(()) as server:
        instances = [instance_at(service, f"127.0.0.1:{server.port}") for service in SERVICES]
        async with running_edge(
            folder, instances, settings=settings, tokens=people.accepted()
        ) as edge:
            yield WatchedEdge(edge, server, people)
