"""Recognizes an attempt that ended because its connection was lost, and one that wasn't even sent.

A pick takes an instance whose connection is READY. If the connection is lost before gRPC has put
the attempt on it, gRPC dials again, and an attempt whose dial fails ends with UNAVAILABLE. It was
not sent, so any method may be attempted again; gRPC's own round_robin picks again, too.

gRPC tells this only by its words, which a server can repeat that relays the error of a call of its
own. The words then name another address than the instance's, and the connection is READY.
"""

import grpc

from discovery.balancing.picker_factory import Connection
from discovery.registry.instance import Instance

# C-core's pick_first, about its last dial.
_DIAL_FAILED = "failed to connect to all addresses; last error: "


def was_lost(code: grpc.StatusCode, connection: Connection) -> bool:
    """Whether the attempt that has just ended with this code lost its connection.

    Another attempt that ends with UNAVAILABLE was answered so by the instance.
    """
    return code is grpc.StatusCode.UNAVAILABLE and not connection.is_still_ready()


def was_not_sent(error: grpc.aio.AioRpcError, connection: Connection | None) -> bool:
    """Whether the attempt that ended with this error on this connection certainly wasn't sent."""
    if connection is None or error.code() is not grpc.StatusCode.UNAVAILABLE:
        return False
    details = error.details() or ""
    is_own_dial = details.startswith(_DIAL_FAILED) and _named(connection.instance) in details
    return is_own_dial and not connection.is_still_ready()


def _named(instance: Instance) -> str:
    """The instance's address as the words of a failed dial name it."""
    if instance.port == 0:
        return f"{instance.address}: "
    host = f"%5B{instance.address}%5D" if ":" in instance.address else instance.address
    return f":{host}:{instance.port}: "
