"""Calls that wait, streams to callers and subscriptions do not take each other's places."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import StatusCode as Code
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub

from services.chassis.request.slot import slot_released
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal


async def watch(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    """Send one message, then wait until the caller leaves."""
    yield request
    with slot_released():
        await asyncio.Event().wait()


async def wait(request: StringValue, context: Any) -> StringValue:
    """Wait for a moment without a slot."""
    with slot_released():
        await asyncio.sleep(0)
    return request


async def test_streams_to_callers_leave_room_for_calls_and_subscriptions() -> None:
    """When all places for streams are taken, other calls may wait and services may subscribe."""
    async with echo_server(
        unary=wait, unary_stream=watch, settings={"max_waiting": 1, "max_watching": 1}
    ) as echo:
        watching = echo.unary_stream("first")
        await watching.read()

        late = echo.unary_stream("late")
        await late.read()
        refused = await refusal(late.read())
        answered = await echo.unary("waits")
        with pytest.raises(grpc.aio.AioRpcError) as subscribed:
            await (
                EventFeedServiceStub(echo.channel)
                .SubscribeEvents(pb.SubscribeEventsRequest())
                .read()
            )
        watching.cancel()

    assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refused.facts == {"limit": "1", "setting": "TRADEPOST_MAX_WATCHING"}
    assert answered.value == "waits"
    # This server has no feed; a subscription that is refused is not even asked for one.
    assert subscribed.value.code() is Code.UNIMPLEMENTED


async def test_a_refused_call_names_the_setting_of_its_limit() -> None:
    """An operator reads from the refusal which environment variable to raise."""
    async with echo_server(unary=wait, unary_stream=watch, settings={"max_concurrent": 1}) as echo:
        inside = echo.server.admission
        inside.working += 1
        refused = await refusal(echo.unary())
        inside.working -= 1

    assert refused.facts == {"limit": "1", "setting": "TRADEPOST_MAX_CONCURRENT"}


def test_waiting_outside_of_a_call_does_nothing() -> None:
    """Use cases may be called without a server."""
    with slot_released():
        pass
