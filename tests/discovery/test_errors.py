"""Errors say what the caller can do."""

import pickle

import grpc
import pytest

from discovery import blocking, errors
from discovery.errors import LocalRefusalError, NoInstanceError, RefusalReason


@pytest.mark.parametrize(
    "error",
    [
        NoInstanceError("nobody"),
        LocalRefusalError(
            grpc.StatusCode.DEADLINE_EXCEEDED, RefusalReason.DEADLINE_SPENT, "too late"
        ),
    ],
)
def test_failed_calls_are_grpc_errors(error: grpc.aio.AioRpcError) -> None:
    """They are AioRpcErrors, and survive pickling like grpc.aio's own."""
    again = pickle.loads(pickle.dumps(error))

    assert isinstance(again, grpc.aio.AioRpcError)
    assert (again.code(), again.details()) == (error.code(), error.details())
    assert tuple(again.trailing_metadata()) == ()
    assert vars(again).get("reason") == vars(error).get("reason")


@pytest.mark.parametrize(
    "error", [errors.InvalidMetadataError("k", "bad"), errors.InvalidServiceConfigError("$", "bad")]
)
def test_mistakes_of_the_program_are_value_errors(error: ValueError) -> None:
    """They say where the mistake is."""
    assert isinstance(error, ValueError)
    assert "bad" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidTargetError("x", 1, "bad"),
        errors.InvalidMetadataError("k", "bad"),
        errors.InvalidServiceConfigError("$", "bad"),
        blocking.ForkUnsupportedError(),
    ],
)
def test_every_error_survives_pickling(error: Exception) -> None:
    """An error keeps its text and its facts on the way to another process."""
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
