"""In the secure mode a server answers only callers with a certificate that it trusts."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from discovery.tls.certificates import Certificates
from services.chassis.server.instance import reflection
from services.chassis.server.instance.health import is_serving
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.chassis.secure_echo import SERVICE, channel_to, secure_echo, unary

AUTHORITY = Authority()
HI = StringValue(value="hi")
SERVING = health_pb2.HealthCheckResponse.SERVING


def own() -> MemoryCertificates:
    """The certificates of the server."""
    return MemoryCertificates(AUTHORITY.issue(SERVICE))


@pytest.mark.parametrize(
    "shown",
    [
        None,
        Authority().issue("payment"),
        AUTHORITY.issue("payment", not_after=-timedelta(minutes=1)),
        AUTHORITY.issue("payment", not_before=timedelta(days=1), not_after=timedelta(days=2)),
    ],
    ids=["none", "of a foreign authority", "expired", "not yet valid"],
)
async def test_a_caller_without_a_certificate_that_counts_gets_no_connection(
    shown: Certificates | None,
) -> None:
    """No call of it reaches a servicer; a caller with a good certificate is answered meanwhile."""
    reached = []

    async def note(request: StringValue, context: object) -> StringValue:
        reached.append(request.value)
        return request

    async with (
        secure_echo(own(), unary=note) as server,
        channel_to(server, shown) as refused,
        channel_to(server, AUTHORITY.issue("payment")) as good,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await unary(refused)(StringValue(value="from outside"))
        assert await unary(good)(HI) == HI

    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert reached == ["hi"]


async def test_a_plaintext_caller_gets_no_answer() -> None:
    """The port speaks TLS only."""
    async with (
        secure_echo(own()) as server,
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await unary(channel)(HI)

    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_certificates_rotate_while_calls_run() -> None:
    """Calls and open connections go on; a new connection sees the new certificate at once."""
    former, successor = Authority(), Authority()
    trusted = former.roots + successor.roots
    source = MemoryCertificates(former.issue(SERVICE, roots=trusted))
    async with (
        secure_echo(source) as server,
        channel_to(server, former.issue("payment", roots=trusted)) as open_before,
        asyncio.TaskGroup() as group,
    ):
        load = [group.create_task(_call_until(open_before, stop := asyncio.Event()))]
        for issuer in (former, successor) * 6:
            source.rotate(issuer.issue(SERVICE, roots=trusted))
            shown = issuer.issue("payment", roots=issuer.roots)
            async with channel_to(server, shown) as opened_after:
                assert await unary(opened_after)(HI) == HI
        stop.set()

    assert sum(task.result() for task in load) > 0


async def test_a_root_that_is_no_longer_trusted_opens_no_connection() -> None:
    """After the rotation to another authority, certificates of the former one are refused."""
    successor = Authority()
    source = own()
    async with secure_echo(source) as server:
        async with channel_to(server, AUTHORITY.issue("payment")) as channel:
            assert await unary(channel)(HI) == HI
        source.rotate(successor.issue(SERVICE))
        shown = AUTHORITY.issue("payment", roots=successor.roots)
        async with channel_to(server, shown) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await unary(channel)(HI)

    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_check_without_a_certificate_asks_the_health_port() -> None:
    """A second port on loopback answers for health in plaintext, and for nothing else."""
    async with (
        secure_echo(own()) as server,
        grpc.aio.insecure_channel(server.instance.health_endpoint) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(channel)(HI)

    assert server.instance.health_endpoint.startswith("127.0.0.1:")
    assert answer.status == SERVING
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_checks_from_other_machines_are_answered_where_the_setting_says() -> None:
    """Kubernetes and an agent outside the container reach the health port at the address given."""
    async with (
        secure_echo(own(), health_host="127.0.0.3") as server,
        grpc.aio.insecure_channel(server.instance.health_endpoint) as channel,
    ):
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())

    assert server.instance.health_endpoint.startswith("127.0.0.3:")
    assert answer.status == SERVING


@pytest.mark.parametrize("setting", [None, True, False])
async def test_contracts_are_described_only_where_asked_for(setting: Any) -> None:
    """Reflection is off in the secure mode, unless TRADEPOST_REFLECTION turns it on."""
    async with (
        secure_echo(own(), reflection=setting) as server,
        channel_to(server, AUTHORITY.issue("payment")) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        listed = await stub.List(health_pb2.HealthListRequest())
        method = f"/{reflection.V1}/ServerReflectionInfo"
        call = channel.stream_stream(method)([])
        code = await call.code()

    assert (reflection.V1 in listed.statuses) is bool(setting)
    assert code == (grpc.StatusCode.OK if setting else grpc.StatusCode.UNIMPLEMENTED)


async def test_another_instance_proves_its_service_before_its_health_is_believed() -> None:
    """The check of an instance id asks over TLS, and takes no other service's answer."""
    certificates = own()
    async with secure_echo(certificates) as server:
        instance = Instance("echo-1", SERVICE, "127.0.0.1", server.port)
        other = Instance("echo-1", "payment", "127.0.0.1", server.port)

        assert await is_serving(instance, certificates=certificates)
        assert not await is_serving(other, certificates=certificates)
        assert not await is_serving(instance)


async def test_the_registration_tells_where_checks_ask() -> None:
    """The registry gets the port of TLS for callers, and the other one for its own check."""
    registry = RecordingRegistry()
    async with secure_echo(own(), registrar=registry) as server:
        registered = await registry.registered

    assert registered.endpoint == server.endpoint
    assert registered.health_endpoint == server.instance.health_endpoint
    assert registered.health_endpoint != registered.endpoint


class RecordingRegistry(MemoryRegistry):
    """A registry that shows the instance that registered."""

    def __init__(self) -> None:
        super().__init__()
        self.registered: asyncio.Future[Instance] = asyncio.Future()

    async def register(self, instance: Instance) -> None:
        await super().register(instance)
        self.registered.set_result(instance)


async def _call_until(channel: grpc.aio.Channel, stop: asyncio.Event) -> int:
    """Call one after the other, at least once; return the number."""
    number = 0
    while not stop.is_set() or not number:
        await unary(channel)(HI)
        number += 1
    return number
