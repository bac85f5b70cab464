"""Calls of any public method by each protocol of the edge, as bytes on a socket.

gRPC is grpc.aio's; the others are written here by their specifications, over HTTP/1.1.
"""

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import aiohttp
import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from multidict import CIMultiDict
from yarl import URL

from services.edge.contract.methods import PublicMethod
from tests.support.edge.answer import Answer, failure, failure_of_info, parsed

TIMEOUT_S = 60.0
_DETAILS = "grpc-status-details-bin"
_GRPC_WEB = "application/grpc-web+proto"
_CONNECT_VERSION = ("connect-protocol-version", "1")
# The flags of a frame: of gRPC-Web, one with trailers; of Connect, the last of a stream.
_TRAILERS, _LAST = 0x80, 0x02

# Names and values; a name can appear twice.
Headers: TypeAlias = Sequence[tuple[str, str]]


class Reached(Protocol):
    """An edge as a caller reaches it: with a gRPC channel, and with a URL.

    `connector` keeps connections for HTTP and knows how to check certificates; without it each call
    has a connection of its own.
    """

    @property
    def url(self) -> str: ...
    @property
    def channel(self) -> grpc.aio.Channel: ...
    @property
    def connector(self) -> aiohttp.BaseConnector | None: ...


class Call(Protocol):
    """A call of a method in one protocol; `shown` are headers of the caller, such as a token."""

    async def __call__(
        self, edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
    ) -> Answer: ...


async def by_grpc(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call by gRPC with grpc.aio."""
    data = request.SerializeToString()
    try:
        if method.server_streaming:
            stream = edge.channel.unary_stream(method.path)(data, timeout=TIMEOUT_S, metadata=shown)
            return Answer(tuple([parsed(method, each) async for each in stream]))
        call = edge.channel.unary_unary(method.path)
        return Answer((parsed(method, await call(data, timeout=TIMEOUT_S, metadata=shown)),))
    except grpc.aio.AioRpcError as error:
        return failure(dict(error.trailing_metadata() or ())[_DETAILS])


async def by_grpc_web(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call by gRPC-Web: the trailers are the last frame of the body."""
    status, headers, body = await sent(
        edge,
        "POST",
        method.path,
        headers=(("content-type", _GRPC_WEB), ("x-grpc-web", "1"), *shown),
        body=_frame(request.SerializeToString()),
    )
    assert status == 200, body
    frames = list(_frames(body))
    trailers = {**headers, **_trailers(data for flags, data in frames if flags & _TRAILERS)}
    if trailers["grpc-status"] != "0":
        return failure(_unpadded(trailers[_DETAILS]))
    return Answer(tuple(parsed(method, data) for flags, data in frames if not flags & _TRAILERS))


async def by_connect(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call by Connect with POST; a stream is framed like gRPC's, and ends with JSON."""
    data = request.SerializeToString()
    if method.server_streaming:
        return await _connect_stream(edge, method, data, shown)
    headers = (("content-type", "application/proto"), _CONNECT_VERSION, *shown)
    status, _, body = await sent(edge, "POST", method.path, headers=headers, body=data)
    return _connect_answer(method, status, body)


async def by_connect_get(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call a read by Connect with GET: the request is a parameter."""
    message = base64.urlsafe_b64encode(request.SerializeToString()).decode().rstrip("=")
    path = f"{method.path}?connect=v1&encoding=proto&base64=1&message={message}"
    status, _, body = await sent(edge, "GET", path, headers=shown)
    return _connect_answer(method, status, body)


async def by_rest(
    edge: Reached, method: PublicMethod, request: Message, shown: Headers = ()
) -> Answer:
    """Call the path of the contract with JSON; a stream comes as server-sent events."""
    fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
    path = method.http_path
    for name in method.variables:
        path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
    if method.verb == "GET":
        query = "&".join(f"{name}={quote(str(value))}" for name, value in _parameters(fields))
        status, headers, body = await sent(
            edge, "GET", f"{path}?{query}" if query else path, headers=shown
        )
    else:
        json_type = (("content-type", "application/json"), *shown)
        text = json.dumps(fields).encode()
        status, headers, body = await sent(edge, method.verb, path, headers=json_type, body=text)
    if status != 200:
        return _rest_failure(json.loads(body))
    if not method.server_streaming:
        return Answer((_from_json(method, body),))
    assert headers["content-type"] == "text/event-stream"
    events = (line.removeprefix(b"data: ") for line in body.splitlines() if line)
    return Answer(tuple(_from_json(method, each) for each in events))


PROTOCOLS: Mapping[str, Call] = {
    "gRPC": by_grpc,
    "gRPC-Web": by_grpc_web,
    "Connect": by_connect,
    "Connect GET": by_connect_get,
    "REST": by_rest,
}


async def sent(
    edge: Reached,
    verb: str,
    path: str,
    *,
    headers: Mapping[str, str] | Headers = (),
    body: bytes | None = None,
) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request over HTTP/1.1; return status, headers (lower case) and body."""
    url = f"{edge.url}{path}"
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            connector=edge.connector,
            connector_owner=edge.connector is None,
        ) as session,
        session.request(
            verb, URL(url, encoded=True), headers=CIMultiDict(headers), data=body
        ) as answer,
    ):
        named = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, named, await answer.read()


async def _connect_stream(
    edge: Reached, method: PublicMethod, data: bytes, shown: Headers
) -> Answer:
    headers = (("content-type", "application/connect+proto"), _CONNECT_VERSION, *shown)
    status, _, body = await sent(edge, "POST", method.path, headers=headers, body=_frame(data))
    if status != 200:
        return _connect_failure(json.loads(body))
    frames = list(_frames(body))
    flags, last = frames[-1]
    assert flags & _LAST
    end = json.loads(last or b"{}")
    if "error" in end:
        return _connect_failure(end["error"])
    return Answer(tuple(parsed(method, each) for flags, each in frames if not flags & _LAST))


def _connect_answer(method: PublicMethod, status: int, body: bytes) -> Answer:
    if status == 200:
        return Answer((parsed(method, body),))
    return _connect_failure(json.loads(body))


def _connect_failure(error: Mapping[str, Any]) -> Answer:
    """An error in Connect's JSON. Envoy writes the detail's whole URL for its type."""
    for detail in error["details"]:
        if detail["type"].endswith("google.rpc.ErrorInfo"):
            return failure_of_info(_unpadded(detail["value"]))
    raise AssertionError(f"an error without a reason: {error}")


def _rest_failure(status: Mapping[str, Any]) -> Answer:
    for detail in status["details"]:
        if detail["@type"].endswith("google.rpc.ErrorInfo"):
            return Answer(reason=detail["reason"], domain=detail["domain"])
    raise AssertionError(f"an error without a reason: {status}")


def _from_json(method: PublicMethod, text: bytes) -> Message:
    message = message_factory.GetMessageClass(method.response)()
    return json_format.Parse(text, message)


def _parameters(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The query parameters of nested and repeated fields."""
    for name, value in fields.items():
        match value:
            case dict():
                yield from _parameters(value, f"{prefix}{name}.")
            case list():
                yield from ((f"{prefix}{name}", each) for each in value)
            case _:
                yield f"{prefix}{name}", value


def _frame(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


def _frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    while body:
        flags, length = struct.unpack(">BI", body[:5])
        yield flags, body[5 : 5 + length]
        body = body[5 + length :]


def _trailers(blocks: Iterator[bytes]) -> dict[str, str]:
    lines = (line for block in blocks for line in block.decode().splitlines())
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
