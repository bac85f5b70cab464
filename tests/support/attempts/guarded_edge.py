"""A real Envoy that asks for tokens, before four services that do so too, and no limits of rate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from services.edge.contract.methods import PublicMethod
from tests.support.edge.answer import Answer
from tests.support.edge.people import People
from tests.support.edge.protocols import PROTOCOLS, Headers
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    running_edge,
    settings_at_free_ports,
)
from tests.support.identity.known_callers import KnownCallers
from tests.support.identity.whole_suite import whole_suite
from tests.support.suite.suite_in_process import Suite

UNLIMITED = dict.fromkeys(
    ("read_per_minute", "list_per_minute", "write_per_minute", "watch_per_minute"), 0
)


@dataclass(frozen=True, slots=True)
class GuardedEdge:
    """The edge, the services behind it, and the issuer whose tokens both believe."""

    edge: RunningEdge
    suite: Suite
    people: People

    async def call(self, method: PublicMethod, request: Message, shown: Headers) -> Answer:
        """The answer to a call, which must be the same by every protocol that can carry it."""
        answers = {
            name: await call(self.edge, method, request, shown)
            for name, call in PROTOCOLS.items()
            if offers(name, method)
        }
        assert dict.fromkeys(answers, answers["gRPC"]) == answers
        return answers["gRPC"]


@asynccontextmanager
async def guarded_edge(
    folder: Path, callers: KnownCallers, **changes: object
) -> AsyncIterator[GuardedEdge]:
    """Start all of it, with these changes of the edge's settings."""
    settings = settings_at_free_ports(**{**UNLIMITED, **changes})
    people = People(callers.issuer)
    async with whole_suite(folder, callers) as suite:
        instances = [instance_at(name, server.endpoint) for name, server in suite.servers.items()]
        async with running_edge(
            folder, instances, settings=settings, tokens=people.accepted()
        ) as edge:
            yield GuardedEdge(edge, suite, people)


def offers(protocol: str, method: PublicMethod) -> bool:
    """Whether the protocol can carry the method: GET is for reads that are no streams."""
    return protocol != "Connect GET" or (method.read and not method.server_streaming)


def naming(method: PublicMethod, name: str) -> Message:
    """A request in which each field of the path is this name, and that says nothing else."""
    message = message_factory.GetMessageClass(method.request)()
    return json_format.ParseDict(dict.fromkeys(method.variables, name), message)
