"""A service config's retryPolicy makes as many attempts as in grpc, and ends alike."""

import json
from typing import Any

import grpc
import pytest

import discovery
from discovery import blocking
from discovery.rules.attempt_number import ATTEMPT_KEY
from tests.support.discovery.dropin.awaitable_channel import AwaitableChannel
from tests.support.discovery.dropin.comparison import Both, Driver, all_of, outcome
from tests.support.discovery.dropin.scripted_server import SERVICE, ScriptedServer, path


def options(service_config: str) -> list[tuple[str, str]]:
    """How a channel of grpc is given a service config."""
    return [("grpc.service_config", service_config)]


AIO = Driver(
    lambda address, service_config: grpc.aio.insecure_channel(
        address, options=options(service_config)
    ),
    discovery.open_channel,
)
BLOCKING = Driver(
    lambda address, service_config: AwaitableChannel(
        grpc.insecure_channel(address, options=options(service_config))
    ),
    lambda *args, **keywords: AwaitableChannel(blocking.open_channel(*args, **keywords)),
)

KINDS = pytest.mark.parametrize(
    ("kind", "method"), [("unary_unary", "Unary"), ("unary_stream", "Responses")]
)


@pytest.fixture(params=[AIO, BLOCKING], ids=["aio", "blocking"])
def configured(server: ScriptedServer, request: Any) -> Both:
    """Runs a program with both channels, each given the service config in its own way."""
    return Both(server, request.param)


def config(*codes: grpc.StatusCode, attempts: int) -> str:
    """A service config that retries these codes. grpc ignores `idempotent`, which is ours."""
    policy = {
        "maxAttempts": attempts,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.02s",
        "backoffMultiplier": 1.5,
        "retryableStatusCodes": [code.name for code in codes],
    }
    entry = {"name": [{"service": SERVICE}], "idempotent": True, "retryPolicy": policy}
    return json.dumps({"methodConfig": [entry]})


async def ended(channel: Any, server: Any, kind: str, method: str) -> Any:
    """How a refused call ends, and how many attempts came before the last.

    C-core takes grpc's header from a call, so ours has its own.
    """
    error = await outcome(all_of(getattr(channel, kind)(path(method))(b"!")))
    metadata = dict(server.metadata)
    return error, metadata.get("grpc-previous-rpc-attempts", metadata.get(ATTEMPT_KEY))


@KINDS
@pytest.mark.parametrize("attempts", [2, 4])
@pytest.mark.parametrize("code", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE])
async def test_the_number_of_attempts_and_the_final_error(
    configured: Both, kind: str, method: str, attempts: int, code: grpc.StatusCode
) -> None:
    """A code that is listed is retried up to `maxAttempts`; the last attempt's error is raised."""
    await configured(
        lambda channel, server: ended(channel, server, kind, method),
        service_config=config(code, attempts=attempts),
    )


@KINDS
async def test_a_service_config_among_the_options(both: Both, kind: str, method: str) -> None:
    """A program that gives grpc's option instead has the same attempts."""
    given = config(grpc.StatusCode.FAILED_PRECONDITION, attempts=3)
    await both(lambda channel, server: ended(channel, server, kind, method), options=options(given))
