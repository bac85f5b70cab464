"""Watches a server's health by grpc.health.v1 (service "": the whole server).

It reads the messages without generated code. It differs from gRFC A17 in two points that tests of
native health checking showed to be needed: NOT_SERVING doesn't fail the calls in flight; and when
the stream breaks, the last status stays, since a draining server ends its streams before its
connections.
"""

from collections.abc import AsyncIterable, Callable, Iterator
from enum import Enum
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from discovery.clock import Clock

WATCH_PATH = "/grpc.health.v1.Health/Watch"
# HealthCheckRequest{service: ""}: every field at its default.
WHOLE_SERVER = b""

_STATUS_FIELD = 1
_SERVING = 1


class Health(Enum):
    """A server's last status. UNKNOWN and BROKEN both mean that it hasn't answered yet."""

    UNKNOWN = "unknown"
    BROKEN = "broken"
    SERVING = "serving"
    NOT_SERVING = "not serving"


def parse(response: bytes) -> Health:
    """The status in a HealthCheckResponse; everything except SERVING (1) is NOT_SERVING."""
    try:
        fields: Any = UnknownFieldSet(Empty.FromString(response))
    except DecodeError:
        return Health.NOT_SERVING
    for field in fields:
        if field.field_number == _STATUS_FIELD:
            return Health.SERVING if field.data == _SERVING else Health.NOT_SERVING
    return Health.NOT_SERVING


async def watch(
    open_stream: Callable[[], AsyncIterable[bytes]],
    *,
    report: Callable[[Health], None],
    delays_s: Callable[[], Iterator[float]],
    clock: Clock,
) -> None:
    """Report each status of the server, and reopen the stream after a delay when it ends.

    The end of a stream is reported as BROKEN. A server without the health service (UNIMPLEMENTED)
    is reported as SERVING, and the watch ends.
    """
    waits_s = delays_s()
    while True:
        try:
            async for response in open_stream():
                report(parse(response))
                waits_s = delays_s()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                report(Health.SERVING)
                return
        report(Health.BROKEN)
        await clock.sleep(next(waits_s))
