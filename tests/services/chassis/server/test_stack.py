"""The layers of the server: all kinds of handler, correlation, deadline, serialization."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from discovery.rules import attempt_number, deadline
from services.chassis.server.errors import DeadlinePassedError
from services.chassis.server.layers.deadline import Deadline
from services.chassis.telemetry import correlation
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal

Code = grpc.StatusCode
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def texts(call: Any) -> list[str]:
    """Return the texts of a stream, up to its end."""
    return [message.value async for message in call]


async def test_all_four_kinds_of_call_pass_the_stack() -> None:
    """Handlers of all four kinds receive and return messages."""
    async with echo_server() as echo:
        assert (await echo.unary("hello")).value == "hello"
        assert await texts(echo.unary_stream("abc")) == ["a", "b", "c"]
        assert (await echo.stream_unary("he", "llo")).value == "hello"
        assert await texts(echo.stream_stream("x", "y")) == ["x", "y"]


async def test_a_stream_may_be_empty_both_ways() -> None:
    """A stream may have no requests and no responses."""
    async with echo_server() as echo:
        assert (await echo.stream_unary()).value == ""
        assert await texts(echo.stream_stream()) == []


async def test_trailers_of_a_good_answer_reach_the_caller() -> None:
    """Trailing metadata that a servicer sets reaches the caller."""

    async def replayed(request: StringValue, context: Any) -> StringValue:
        context.set_trailing_metadata((("tradepost-replayed", "true"),))
        return request

    async with echo_server(unary=replayed) as echo:
        call = echo.unary("hi")
        await call

        assert dict(await call.trailing_metadata()) == {"tradepost-replayed": "true"}


async def test_unreadable_bytes_are_the_callers_error() -> None:
    """They are answered with MALFORMED_MESSAGE, and the servicer is not called."""
    async with echo_server() as echo:
        refused = await refusal(echo.raw(b"\xff\xff\xff"))

    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert refused.facts == {"method": "/tradepost.echo.Echo/Unary"}


async def test_unreadable_bytes_within_a_stream_are_the_callers_error() -> None:
    """A request stream ends with an error at the first message that cannot be read."""
    async with echo_server() as echo:
        call = echo.channel.stream_unary("/tradepost.echo.Echo/StreamUnary")
        refused = await refusal(call([b"\n\x01a", b"\xff\xff\xff"]))

    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


@pytest.mark.parametrize("wrong", [None, "text", 42])
async def test_an_unserializable_answer_is_internal_and_never_an_empty_message(
    wrong: Any,
) -> None:
    """grpc.aio would send an empty message with OK here (grpc/grpc#34894)."""

    async def unary(request: StringValue, context: Any) -> Any:
        return wrong

    async def stream(request: StringValue, context: Any) -> AsyncIterator[Any]:
        yield request
        yield wrong

    async with echo_server(unary=unary, unary_stream=stream) as echo:
        single = await refusal(echo.unary("a"))
        streamed = await refusal(texts(echo.unary_stream("a")))

    assert (single.code, single.reason) == (Code.INTERNAL, "INTERNAL")
    assert (streamed.code, streamed.reason) == (Code.INTERNAL, "INTERNAL")


async def test_a_handler_that_would_block_the_loop_is_a_bug_of_ours() -> None:
    """Synchronous handlers, and methods that a servicer lacks, are answered with INTERNAL."""

    def blocking(request: StringValue, context: Any) -> StringValue:
        return request

    async def not_a_generator(request: StringValue, context: Any) -> None:
        await context.write(request)

    async with echo_server(unary=blocking, unary_stream=not_a_generator) as echo:
        assert (await refusal(echo.unary())).reason == "INTERNAL"
        assert (await refusal(texts(echo.unary_stream()))).reason == "INTERNAL"


async def test_a_call_has_its_callers_correlation() -> None:
    """Correlation id and traceparent of the metadata are bound while the handler runs."""
    seen: list[correlation.Correlation] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current())
        return request

    async def stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        seen.append(correlation.current())

    metadata = (("tradepost-correlation-id", "basket-7"), ("traceparent", TRACEPARENT))
    async with echo_server(unary=unary, unary_stream=stream) as echo:
        await echo.unary(metadata=metadata)
        await texts(echo.unary_stream(metadata=metadata))

    assert seen == [correlation.Correlation("basket-7", traceparent=TRACEPARENT)] * 2


@pytest.mark.parametrize("sent", [None, "", "a" * 129])
async def test_a_call_without_a_usable_correlation_id_gets_a_new_one(sent: str | None) -> None:
    """An id that does not fit into a log line or an event is replaced."""
    seen: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current().correlation_id)
        return request

    metadata = () if sent is None else (("tradepost-correlation-id", sent),)
    async with echo_server(unary=unary) as echo:
        await echo.unary(metadata=metadata)
        await echo.unary(metadata=metadata)

    assert all(each.startswith("cor_") for each in seen)
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    "sent",
    ["", "rubbish", TRACEPARENT.replace("00-", "ff-", 1), "00-" + "0" * 32 + TRACEPARENT[35:]],
)
async def test_an_invalid_traceparent_is_not_passed_on(sent: str) -> None:
    """A traceparent has version 00, and ids that are not all zeros (W3C trace context)."""
    seen: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current().traceparent)
        return request

    async with echo_server(unary=unary) as echo:
        await echo.unary(metadata=(("traceparent", sent),))

    assert seen == [""]


async def test_correlations_of_concurrent_calls_do_not_mix() -> None:
    """Each call runs in a context of its own."""
    seen: dict[str, str] = {}

    async def unary(request: StringValue, context: Any) -> StringValue:
        await asyncio.sleep(0)
        seen[request.value] = correlation.current().correlation_id
        return request

    async with echo_server(unary=unary) as echo:
        await asyncio.gather(
            *(
                echo.unary(str(n), metadata=(("tradepost-correlation-id", f"correlation-{n}"),))
                for n in range(20)
            )
        )

    assert seen == {str(n): f"correlation-{n}" for n in range(20)}


class SteadyClock:
    """A clock that stands still, to compare instants exactly."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 1_000.0

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(0)


async def test_a_handler_inherits_its_callers_deadline() -> None:
    """Calls of a handler end at its caller's deadline; without a deadline they are unbounded."""
    seen: list[float | None] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(deadline.current())
        return request

    async with echo_server(unary=unary, clock=SteadyClock()) as echo:
        await echo.unary(timeout=60)
        await echo.unary()

    bound, unbound = seen
    assert bound is not None
    # gRPC rounds a timeout up when it sends it, by about one percent at most.
    assert 1_055 < bound < 1_065
    assert unbound is None


class LateContext:
    """The context of a call whose deadline has passed on the way."""

    def time_remaining(self) -> float:
        return 0.0


async def test_a_call_whose_deadline_has_passed_is_not_begun() -> None:
    """The caller has given up, so the call takes no slot and its handler does not run."""
    begun: list[object] = []
    layer = Deadline(clock=SteadyClock())(None, lambda request, context: begun.append(request))

    with pytest.raises(DeadlinePassedError):
        layer("request", LateContext())
    assert begun == []


async def test_a_handler_knows_that_it_answers_a_retry() -> None:
    """Only one service in a chain retries: calls made for a retry are attempted once."""
    seen: list[int] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(attempt_number.current())
        return request

    async with echo_server(unary=unary) as echo:
        await echo.unary(metadata=((attempt_number.ATTEMPT_KEY, "2"),))
        await echo.unary()

    assert seen == [2, 0]


async def test_a_cancelled_call_cancels_its_handler() -> None:
    """Unary and streaming handlers get CancelledError."""
    begun, cancelled = asyncio.Event(), asyncio.Queue[str]()

    async def unary(request: StringValue, context: Any) -> StringValue:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.put_nowait("unary")
            raise
        return request

    async def stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.put_nowait("stream")
            raise

    async with echo_server(unary=unary, unary_stream=stream) as echo:
        call = echo.unary()
        waiting = asyncio.ensure_future(call)
        await begun.wait()
        call.cancel()
        streaming = echo.unary_stream("a")
        await streaming.read()
        streaming.cancel()

        assert {await cancelled.get(), await cancelled.get()} == {"unary", "stream"}
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_an_unknown_method_is_answered_by_grpc_itself() -> None:
    """The stack does not handle methods that no servicer has."""
    async with echo_server() as echo:
        refused = await refusal(echo.unary(method="Nowhere"))

    assert (refused.code, refused.reason) == (Code.UNIMPLEMENTED, "")


async def test_a_request_above_the_size_limit_is_answered_by_grpc_itself() -> None:
    """Above 4 MiB gRPC answers RESOURCE_EXHAUSTED, without a reason of ours."""
    async with echo_server() as echo:
        refused = await refusal(echo.unary("a" * (4 * 1024 * 1024 + 1)))

    assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "")
