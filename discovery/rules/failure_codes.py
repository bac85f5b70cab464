"""Which ends of an attempt say something bad about the instance or the service."""

import re

import grpc

# An application answers with these when its code fails, which may be the fault of one method.
APPLICATION_FAULTS = frozenset(
    {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}
)

# Failures of the instance or of the method.
FAILURES = APPLICATION_FAULTS | {grpc.StatusCode.UNAVAILABLE}

# Signs that the service is overloaded or absent. Any other code is an answer of the application.
OVERLOAD = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)

# google.rpc.Status, which only an application adds.
_STATUS_DETAILS = "grpc-status-details-bin"

# The words of C-core and Go, and of Java.
_TOO_LARGE = re.compile(r"message larger than max|message exceeds maximum size", re.IGNORECASE)


# What grpc's blocking driver says of errors that the caller's own code has raised.
_OWN_REQUESTS = frozenset({"Exception iterating requests!", "Exception serializing request!"})
_OWN_READING = "Exception deserializing response!"


def is_own_request(code: grpc.StatusCode, details: str | None) -> bool:
    """Whether the program's own requests ended the call, which says nothing of the instance."""
    return code in APPLICATION_FAULTS and details in _OWN_REQUESTS


def is_unreadable_answer(code: grpc.StatusCode, details: str | None) -> bool:
    """Whether the instance has answered, and the program could not read it."""
    return code in APPLICATION_FAULTS and details == _OWN_READING


def is_too_large(code: grpc.StatusCode, details: str | None) -> bool:
    """Whether a message was above a size limit of either side, which is no sign of overload.

    gRPC ends such a call with RESOURCE_EXHAUSTED, so only its words tell it from shed load.
    """
    if code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return False
    return _TOO_LARGE.search(details or "") is not None


def is_unknown_method(error: grpc.aio.AioRpcError) -> bool:
    """Whether a server answered that it doesn't know the method, so that nothing ran.

    An application that knows the method and refuses it itself usually says why, in details.
    """
    if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
        return False
    return all(key != _STATUS_DETAILS for key, _ in error.trailing_metadata() or ())
