"""The access layer: who calls is found out, bound, and held against the contract."""

import asyncio
import json
from io import StringIO
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.identity import caller
from services.chassis.telemetry import logs
from tests.support.chassis.echo_service import Echo, echo_server
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.identity.known_callers import KnownCallers, Metadata, bearer, service

Code = grpc.StatusCode
CALLERS = KnownCallers()


async def who(_request: StringValue, _context: Any) -> StringValue:
    """Answer with the caller that is bound."""
    current = caller.current()
    return StringValue(value=f"{current.actor} {sorted(current.roles)} {current.service}")


async def who_each(request: StringValue, context: Any) -> Any:
    """Answer with the caller that is bound, in a stream."""
    yield await who(request, context)


async def actor_of(echo: Echo, metadata: Metadata) -> str:
    """Whom the server takes the caller for."""
    return str((await echo.unary(metadata=metadata)).value)


async def test_a_person_and_a_service_are_bound_to_their_calls() -> None:
    """Servicers read who calls: the subject and roles of the token, and the peer."""
    async with echo_server(unary=who, unary_stream=who_each, security=CALLERS.security) as echo:
        carl = CALLERS.person("carl", "CLERK", peer="edge")
        assert await actor_of(echo, carl) == "person:carl ['CLERK'] edge"
        assert await actor_of(echo, service("shop")) == "service:shop [] shop"
        streamed = [each.value async for each in echo.unary_stream(metadata=carl)]
        assert streamed == ["person:carl ['CLERK'] edge"]


async def test_two_calls_at_once_have_their_own_callers() -> None:
    """A caller is bound to one call, not to the connection."""
    async with echo_server(unary=who, security=CALLERS.security) as echo:
        names = [f"clerk-{number}" for number in range(20)]
        found = await asyncio.gather(
            *(actor_of(echo, CALLERS.person(name, "CLERK")) for name in names)
        )
    assert [actor.split()[0] for actor in found] == [f"person:{name}" for name in names]


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ((), Code.UNAUTHENTICATED, "TOKEN_REQUIRED"),
        (service("bank"), Code.UNAUTHENTICATED, "TOKEN_REQUIRED"),
        (CALLERS.person("alice", "CUSTOMER"), Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED"),
        (CALLERS.person("alice", peer="shop"), Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED"),
        (CALLERS.person("carl", "CLERK", valid_s=-60), Code.UNAUTHENTICATED, "TOKEN_EXPIRED"),
        (bearer("nonsense"), Code.UNAUTHENTICATED, "TOKEN_INVALID"),
        ((("authorization", "Basic YTpi"),), Code.UNAUTHENTICATED, "TOKEN_INVALID"),
        ((("authorization", "Bearer "),), Code.UNAUTHENTICATED, "TOKEN_INVALID"),
        (
            CALLERS.person("carl", "CLERK") + CALLERS.person("carl", "CLERK"),
            Code.UNAUTHENTICATED,
            "TOKEN_INVALID",
        ),
    ],
)
async def test_a_refusal_says_what_is_missing(
    metadata: Metadata, code: grpc.StatusCode, reason: str
) -> None:
    """No token, a token that proves nothing and a wrong role are told apart, for both kinds."""
    async with echo_server(security=CALLERS.security) as echo:
        unary = await refusal(echo.unary(metadata=metadata))
        stream = await refusal(echo.unary_stream(metadata=metadata).read())

    assert (unary.code, unary.reason, unary.domain) == (code, reason, "echo.tradepost")
    assert (stream.code, stream.reason) == (code, reason)


async def test_a_method_without_access_is_closed_to_everybody() -> None:
    """What the contract opens to nobody is refused also to those who may call everything else."""
    async with echo_server(security=CALLERS.security) as echo:
        for metadata in (service("shop"), CALLERS.person("olga", "OPERATOR", "CLERK", "CUSTOMER")):
            closed = await refusal(echo.unary(method="Second", metadata=metadata))
            assert (closed.code, closed.reason) == (Code.PERMISSION_DENIED, "METHOD_CLOSED")


async def test_health_is_for_every_peer() -> None:
    """gRPC's own services ask for no token: TLS has verified the peer."""
    async with echo_server(security=CALLERS.security) as echo:
        health = health_pb2_grpc.HealthStub(echo.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_refused_caller_takes_no_slot() -> None:
    """Callers who may call nothing can't keep others out of a server whose slots are taken."""
    async with echo_server(security=CALLERS.security, settings={"max_concurrent": 1}) as echo:
        echo.server.admission.working = 1

        assert (await refusal(echo.unary())).reason == "TOKEN_REQUIRED"
        full = await refusal(echo.unary(metadata=service("shop")))

        assert full.reason == "OVERLOADED"
        echo.server.admission.working = 0


async def test_no_line_and_no_answer_repeats_a_token() -> None:
    """Neither a good token nor a bad one appears in the log or in the refusal."""

    async def broken(_request: StringValue, _context: Any) -> StringValue:
        raise RuntimeError("a bug")

    written = StringIO()
    logs.configure(level="debug", stream=written)
    good, bad = CALLERS.issuer.token("carl", "CLERK"), CALLERS.issuer.token("carl", aud="other")
    async with echo_server(unary=broken, security=CALLERS.security) as echo:
        answers = [await refusal(echo.unary(metadata=bearer(token))) for token in (good, bad)]
    logs.configure(level="warning")

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["code"] for line in lines if line["event"] == "call"] == [
        "INTERNAL",
        "UNAUTHENTICATED",
    ]
    for token in (good, bad):
        signature = token.rpartition(".")[2]
        assert signature not in written.getvalue()
        assert all(signature not in str(answer) for answer in answers)


async def test_a_stream_ends_with_its_token() -> None:
    """No message is sent to a person whose token has expired since the stream began."""
    clock, expired = ManualClock(), asyncio.Event()
    callers = KnownCallers(clock=clock)

    async def two(request: StringValue, _context: Any) -> Any:
        yield request
        await expired.wait()
        yield request

    async with echo_server(unary_stream=two, clock=clock, security=callers.security) as echo:
        stream = echo.unary_stream("a", metadata=callers.person("carl", "CLERK", valid_s=60))
        of_shop = echo.unary_stream("b", metadata=service("shop"))
        assert [(await each.read()).value for each in (stream, of_shop)] == ["a", "b"]
        await clock.advance(91)
        expired.set()

        assert (await refusal(stream.read())).reason == "TOKEN_EXPIRED"
        assert (await of_shop.read()).value == "b"


async def test_an_open_server_knows_and_refuses_nobody() -> None:
    """Without authentication no method is closed, and a token is not even looked at."""
    async with echo_server(unary=who, second=who) as echo:
        assert (await echo.unary(metadata=bearer("nonsense"))).value == " [] "
        assert (await echo.unary(method="Second")).value == " [] "
