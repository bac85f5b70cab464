"""How long a service is given for a call, whatever deadline its caller writes."""

import struct
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from services.edge.contract.methods import PublicMethod
from services.edge.resources.routes.call_rules import time_limit_s
from tests.support.attempts.guarded_edge import naming, offers
from tests.support.attempts.watched_edge import WatchedEdge, watched_edge
from tests.support.edge.answer import Answer
from tests.support.edge.protocols import PROTOCOLS, Call, Headers, Reached, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A read, one whose answer may be reused, a change that waits, and a stream.
NAMES = ("GetOrder", "ListItems", "CancelOrder", "WatchOrder")
# Deadlines further away than the edge allows, shorter ones with their seconds, and what is none.
GRPC_FAR = ("100000S", "99999999H", "100000000m")
GRPC_NEAR = {"7S": 7.0, "7000m": 7.0, "0007000m": 7.0}
GRPC_NONE = ("0S", "-5m", "5", "x", "", "9" * 14 + "S", "7s", "7.5S", "7S, 9S")
CONNECT_FAR = ("90000000", "100000000", "9999999999", "9" * 40)
CONNECT_NEAR = {"7000": 7.0}
CONNECT_NONE = ("0", "-5", "x", "", "7S", "7000m")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge with a cache, before a server that notes how long it has for each call."""
    cache = str(tmp_path_factory.mktemp("cache"))
    async with watched_edge(tmp_path_factory.mktemp("edge"), cache_folder=cache) as watched:
        yield watched


async def by_raw_grpc(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call by gRPC without a client of gRPC, which would write the deadline itself."""
    data = request.SerializeToString()
    body = struct.pack(">BI", 0, len(data)) + data
    headers = (("content-type", "application/grpc"), ("te", "trailers"), *shown)
    status, named, _ = await sent(edge, "POST", method.path, headers=headers, body=body)
    return Answer(reason="" if (status, named.get("grpc-status")) == (200, None) else "failed")


CALLS: Mapping[str, Call] = {**PROTOCOLS, "gRPC": by_raw_grpc}


def method_of(watched: WatchedEdge, name: str) -> PublicMethod:
    """The public method of this name."""
    return next(each for each in watched.edge.contract.methods if each.name == name)


async def time_given_s(
    watched: WatchedEdge, protocol: str, method: PublicMethod, value: str
) -> float:
    """The seconds that the service had for a call with this deadline, which must be served."""
    header = "connect-timeout-ms" if protocol.startswith("Connect") else "grpc-timeout"
    shown = (*watched.people.headers("alice", "CUSTOMER").items(), (header, value))
    watched.server.times_left_s.clear()
    answer = await CALLS[protocol](watched.edge, method, naming(method, "x"), shown)
    assert answer.reason == "", (method.name, value)
    (given,) = watched.server.times_left_s
    assert given is not None, (method.name, value)
    return given


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", CALLS)
async def test_a_service_is_given_what_the_edge_allows(
    watched: WatchedEdge, protocol: str, name: str
) -> None:
    """A far deadline is cut, a nearer one is told, and what is none is replaced."""
    method = method_of(watched, name)
    if not offers(protocol, method):
        assert (protocol, name) in {("Connect GET", "CancelOrder"), ("Connect GET", "WatchOrder")}
        return
    limit_s = time_limit_s(method, watched.edge.settings)
    of_connect = protocol.startswith("Connect")
    far, near, none = (
        (CONNECT_FAR, CONNECT_NEAR, CONNECT_NONE)
        if of_connect
        else (GRPC_FAR, GRPC_NEAR, GRPC_NONE)
    )
    expected = {**dict.fromkeys((*far, *none), limit_s), **near}
    for value, most_s in expected.items():
        given_s = await time_given_s(watched, protocol, method, value)
        assert most_s * 0.8 < given_s <= most_s, value


@pytest.mark.parametrize("name", NAMES)
async def test_a_client_of_grpc_gets_no_more_either(watched: WatchedEdge, name: str) -> None:
    """A deadline of gRPC's own client is cut, told if it is nearer, and set where there is none."""
    method = method_of(watched, name)
    limit_s = time_limit_s(method, watched.edge.settings)
    shown = tuple(watched.people.headers("alice", "CUSTOMER").items())
    channel = watched.edge.channel
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    for timeout_s, most_s in ((None, limit_s), (100_000.0, limit_s), (7.0, 7.0)):
        watched.server.times_left_s.clear()
        call = make(method.path)(b"", metadata=shown, timeout=timeout_s)
        await (call.read() if method.server_streaming else call)
        (given_s,) = watched.server.times_left_s
        assert given_s is not None
        assert most_s * 0.8 < given_s <= most_s + 1
