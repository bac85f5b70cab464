"""Watches a server's health by grpc.health.v1 (service "": the whole server).

It reads the messages without generated code. Only an explicit NOT_SERVING keeps an instance from
being used, and SERVICE_UNKNOWN where the service config names a service: the address then belongs
to another one. It differs from gRFC A17 in three points:

- NOT_SERVING doesn't fail the calls in flight.
- When the stream breaks, the last status stays, since a draining server ends its streams before its
  connections.
- A server that refuses the watch (an interceptor that wants a token, a health service that doesn't
  know ""), or doesn't answer it within 5 s, is used, as a plain gRPC channel would use it.
"""

from collections.abc import AsyncIterable, Callable, Iterator
from enum import Enum
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from discovery.clock import Clock

# A server that doesn't answer a watch at all is used after this time.
FIRST_ANSWER_S = 5.0

WATCH_PATH = "/grpc.health.v1.Health/Watch"
# HealthCheckRequest{service: ""}: every field at its default.
WHOLE_SERVER = b""

_STATUS_FIELD = 1
_SERVICE_TAG = b"\x0a"
_VARINT_MORE = 0x80

# The answer will be the same on this connection, so the server isn't asked again.
LASTING_REFUSALS = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)


class Health(Enum):
    """A server's last status.

    UNKNOWN and BROKEN both mean that it hasn't answered yet. UNREPORTED: it won't say, or isn't
    asked, and is used as if it were SERVING. SERVICE_UNKNOWN: it was asked for a service by name
    and doesn't have it.
    """

    UNKNOWN = "unknown"
    BROKEN = "broken"
    SERVING = "serving"
    NOT_SERVING = "not serving"
    SERVICE_UNKNOWN = "service unknown"
    UNREPORTED = "unreported"


# The statuses of instances that can be picked.
USABLE = frozenset({Health.SERVING, Health.UNREPORTED})

_SERVICE_UNKNOWN = 3
_BY_NUMBER = {1: Health.SERVING, 2: Health.NOT_SERVING}
_NO_STATUS = frozenset({Health.UNKNOWN, Health.BROKEN, Health.UNREPORTED})


# Why an instance with an open connection can't be picked.
CAUSES = {
    Health.NOT_SERVING: "its health service says NOT_SERVING",
    Health.BROKEN: "its health can't be watched: UNAVAILABLE",
    Health.SERVICE_UNKNOWN: "its health service doesn't know healthCheckConfig.serviceName",
}


def request(service: str) -> bytes:
    """Return HealthCheckRequest{service}; the empty name stands for the whole server."""
    name = service.encode()
    if not name:
        return WHOLE_SERVER
    length, size = len(name), bytearray()
    while length >= _VARINT_MORE:
        size.append(length % _VARINT_MORE | _VARINT_MORE)
        length //= _VARINT_MORE
    return _SERVICE_TAG + bytes([*size, length]) + name


def parse(response: bytes, asked: bytes = WHOLE_SERVER) -> Health:
    """The status in the HealthCheckResponse to the request `asked`.

    UNKNOWN (0), SERVICE_UNKNOWN (3) of the whole server, and what isn't such a message count as
    UNREPORTED.
    """
    try:
        fields: Any = UnknownFieldSet(Empty.FromString(response))
    except DecodeError:
        return Health.UNREPORTED
    for field in fields:
        if field.field_number == _STATUS_FIELD:
            if field.data == _SERVICE_UNKNOWN and asked != WHOLE_SERVER:
                return Health.SERVICE_UNKNOWN
            return _BY_NUMBER.get(field.data, Health.UNREPORTED)
    return Health.UNREPORTED


def after_end(code: grpc.StatusCode, last: Health) -> Health:
    """The status after a stream ended with this code while the connection stayed open.

    A server without a health service (UNIMPLEMENTED) is SERVING. A first UNAVAILABLE before any
    status may be the end of the connection; a second one is the server's own refusal.
    """
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Health.SERVING
    if code in LASTING_REFUSALS:
        return Health.UNREPORTED
    if last is Health.UNKNOWN and code is grpc.StatusCode.UNAVAILABLE:
        return Health.BROKEN
    return Health.UNREPORTED if last in _NO_STATUS else last


async def watch(
    open_stream: Callable[[], AsyncIterable[bytes]],
    *,
    report: Callable[[Health], None],
    delays_s: Callable[[], Iterator[float]],
    clock: Clock,
    asked: bytes = WHOLE_SERVER,
) -> None:
    """Report each status of the server, and reopen the stream after a delay when it ends.

    What the end of a stream means is reported too (`after_end`). The watch ends with a refusal that
    lasts.
    """
    waits_s = delays_s()
    last = Health.UNKNOWN
    while True:
        code = grpc.StatusCode.OK
        try:
            async for response in open_stream():
                last = parse(response, asked)
                report(last)
                if last is not Health.UNREPORTED:
                    waits_s = delays_s()
        except grpc.aio.AioRpcError as error:
            code = error.code()
        last = after_end(code, last)
        report(last)
        if code in LASTING_REFUSALS:
            return
        await clock.sleep(next(waits_s))
