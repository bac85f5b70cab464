"""One grpc.health.v1 Watch of a whole server (service ""), spoken without generated code.

gRFC A17 with two differences, both found by probes: native health checking also fails the calls
in flight when a server says NOT_SERVING, and a broken stream here keeps its last word, since a
draining server ends its streams before its connections.
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
    """What a server last said of itself. Both UNKNOWN and BROKEN mean that it never answered."""

    UNKNOWN = "unknown"
    BROKEN = "broken"
    SERVING = "serving"
    NOT_SERVING = "not serving"


def parse(response: bytes) -> Health:
    """The status in a HealthCheckResponse; everything but SERVING (1) is NOT_SERVING."""
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
    tell: Callable[[Health], None],
    delays_s: Callable[[], Iterator[float]],
    clock: Clock,
) -> None:
    """Tell each answer of the server, and open the stream anew when it breaks.

    Tells BROKEN when a stream ends; a server without the health service (UNIMPLEMENTED) is
    SERVING, and isn't asked again.
    """
    waits_s = delays_s()
    while True:
        try:
            async for response in open_stream():
                tell(parse(response))
                waits_s = delays_s()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                tell(Health.SERVING)
                return
        tell(Health.BROKEN)
        await clock.sleep(next(waits_s))
