"""The health service, as balancers and Consul use it."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tradepost.event.v1 import event_service_pb2, event_service_pb2_grpc
from tradepost.instance.v1.instance_service_pb2 import DrainInstanceRequest
from tradepost.instance.v1.instance_service_pb2_grpc import InstanceServiceStub

from discovery.registry.instance import Instance
from services.chassis.server.instance.health import HealthServicer, is_serving
from tests.support.chassis.echo_service import SERVICE_NAME, echo_server
from tests.support.chassis.rich_status import refusal

Response = health_pb2.HealthCheckResponse
Code = grpc.StatusCode


def asked(service: str) -> health_pb2.HealthCheckRequest:
    """Make a request about one service."""
    return health_pb2.HealthCheckRequest(service=service)


@pytest.mark.parametrize("service", ["", SERVICE_NAME, "tradepost.event.v1.EventFeedService"])
async def test_a_running_server_says_serving_for_itself_and_each_service(service: str) -> None:
    """The empty name means the whole server; Consul and discovery use it."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)

        assert (await health.Check(asked(service))).status == Response.SERVING


async def test_only_the_registered_process_is_believed_to_serve() -> None:
    """An answer of another incarnation is of a process that took over the port."""
    async with echo_server() as echo:
        registered = echo.server.instance

        assert await is_serving(registered)
        assert not await is_serving(replace(registered, incarnation="inc_of_one_that_ended"))
        # Another program wrote the entry.
        assert await is_serving(replace(registered, incarnation=""))


async def test_a_server_that_tells_no_incarnation_is_believed_to_serve() -> None:
    """Services of older versions and other people's servers tell none."""
    server, servicer = grpc.aio.server(), health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    assert await is_serving(Instance("a", "echo", "127.0.0.1", port, incarnation="inc_1"))

    await server.stop(None)


async def test_a_service_that_is_not_served_is_not_found() -> None:
    """Check of an unknown service is NOT_FOUND (grpc/health/v1/health.proto)."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        refused = await refusal(health.Check(asked("a.B")))

    assert (refused.code, refused.reason) == (Code.NOT_FOUND, "SERVICE_UNKNOWN")
    assert refused.facts == {"service": "a.B"}


async def test_list_names_every_service() -> None:
    """List answers with the status of every service."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        answer = await health.List(health_pb2.HealthListRequest())  # type: ignore[attr-defined]

    assert {"", SERVICE_NAME} <= set(answer.statuses)
    assert {each.status for each in answer.statuses.values()} == {Response.SERVING}


async def test_an_instance_without_its_store_lives() -> None:
    """While its database is silent an instance serves nobody, and a restart would not help it."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        echo.server.health.store_silent(is_silent=True)
        serves = await health.Check(asked(""))
        lives = await health.Check(asked("liveness"))
        answer = await health.List(health_pb2.HealthListRequest())  # type: ignore[attr-defined]

    assert serves.status == answer.statuses[SERVICE_NAME].status == Response.NOT_SERVING
    assert lives.status == answer.statuses["liveness"].status == Response.SERVING


async def test_a_watcher_is_sent_every_change_at_once() -> None:
    """Watch sends the status now and after each change."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        watch = health.Watch(asked(SERVICE_NAME))
        first = await watch.read()
        echo.server.health.not_serving()
        second = await watch.read()
        echo.server.health.serving()
        third = await watch.read()

    assert [first.status, second.status, third.status] == [
        Response.SERVING,
        Response.NOT_SERVING,
        Response.SERVING,
    ]


async def test_a_watch_of_an_unknown_service_says_so_and_stays_open() -> None:
    """Watch of an unknown service is SERVICE_UNKNOWN, not an error (health.proto)."""
    async with echo_server() as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        watch = health.Watch(asked("a.B"))
        first = await watch.read()
        echo.server.health.not_serving()
        await health.Check(asked(""))

        assert first.status == Response.SERVICE_UNKNOWN
        assert not watch.done()


async def test_a_watcher_is_sent_not_serving_before_its_stream_ends() -> None:
    """A stopping server sends NOT_SERVING, then ends its watches with UNAVAILABLE (DRAINING)."""
    statuses: list[int] = []

    async def watch_to_the_end(health: Any, watching: asyncio.Event) -> None:
        async for response in health.Watch(asked("")):
            statuses.append(response.status)
            watching.set()

    watching = asyncio.Event()
    channel = None
    async with echo_server() as echo:
        channel = grpc.aio.insecure_channel(echo.server.endpoint)
        ending = asyncio.ensure_future(
            watch_to_the_end(health_pb2_grpc.HealthStub(channel), watching)
        )
        await watching.wait()
    refused = await refusal(ending)
    await channel.close()

    assert statuses == [Response.SERVING, Response.NOT_SERVING]
    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "DRAINING")


async def test_an_unchanged_status_is_not_sent_again() -> None:
    """Watchers are sent changes only."""
    health = HealthServicer(["a.B"], incarnation="inc_1")
    health.serving()
    watch = health.Watch(asked("a.B"), None)  # type: ignore[arg-type]
    first = await anext(watch)
    second = asyncio.ensure_future(anext(watch))
    health.serving()
    await asyncio.sleep(0)
    health.not_serving()

    assert first.status == Response.SERVING
    assert (await second).status == Response.NOT_SERVING
    await watch.aclose()


async def test_reflection_lists_every_service() -> None:
    """`grpcurl list` shows the service, the feed, health and reflection, without a .proto file."""
    async with echo_server() as echo:
        target = echo.server.endpoint

        def listed() -> set[str]:
            with grpc.insecure_channel(target) as channel:
                return set(ProtoReflectionDescriptorDatabase(channel).get_services())

        assert await asyncio.to_thread(listed) == {
            SERVICE_NAME,
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "tradepost.event.v1.AuditService",
            "tradepost.event.v1.DeadLetterService",
            "tradepost.event.v1.EventFeedService",
            "tradepost.event.v1.SubscriptionService",
            "tradepost.instance.v1.InstanceService",
        }


async def test_channelz_is_served_when_asked_for() -> None:
    """Channelz shows a process's connections; it is off unless a setting turns it on."""
    path = "/grpc.channelz.v1.Channelz/GetServers"
    async with echo_server() as echo:
        refused = await refusal(echo.channel.unary_unary(path)(b""))
    async with echo_server(settings={"channelz": True}) as echo:
        answer = await echo.channel.unary_unary(path)(b"")

    assert refused.code is Code.UNIMPLEMENTED
    assert answer


async def test_a_service_without_a_log_says_that_it_has_no_feed() -> None:
    """Unary methods and streams answer UNIMPLEMENTED, with a reason and the service's domain.

    So does the drain of what isn't a program of its own.
    """
    pb = event_service_pb2
    async with echo_server() as echo:
        feed: Any = event_service_pb2_grpc.EventFeedServiceStub(echo.channel)
        letters: Any = event_service_pb2_grpc.DeadLetterServiceStub(echo.channel)
        consumers: Any = event_service_pb2_grpc.SubscriptionServiceStub(echo.channel)
        refusals = [
            await refusal(feed.ReadEvents(pb.ReadEventsRequest())),
            await refusal(feed.SubscribeEvents(pb.SubscribeEventsRequest()).read()),
            await refusal(feed.GetFeed(pb.GetFeedRequest())),
            await refusal(letters.ListDeadLetters(pb.ListDeadLettersRequest())),
            await refusal(letters.ReplayDeadLetters(pb.ReplayDeadLettersRequest())),
            await refusal(letters.DiscardDeadLetter(pb.DiscardDeadLetterRequest())),
            await refusal(consumers.ListSubscriptions(pb.ListSubscriptionsRequest())),
            await refusal(consumers.RewindSubscription(pb.RewindSubscriptionRequest())),
            await refusal(InstanceServiceStub(echo.channel).DrainInstance(DrainInstanceRequest())),
        ]

    assert {(each.code, each.reason, each.domain) for each in refusals} == {
        (Code.UNIMPLEMENTED, "NOT_IMPLEMENTED", "echo.tradepost")
    }
    assert refusals[0].facts == {"feature": "EventFeedService.ReadEvents"}
