"""An operator ends one instance by an RPC: the one that is named, once, and with a record."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from tradepost.event.v1.event_pb2 import AuditRecord
from tradepost.instance.v1 import instance_service_pb2 as pb
from tradepost.instance.v1.instance_service_pb2_grpc import InstanceServiceStub

from discovery.clock import SystemClock
from discovery.registry.memory import MemoryRegistry
from services.chassis.ids import IdFactory
from services.chassis.log import audit_log
from services.chassis.request.request_ids import REPLAYED_KEY
from services.chassis.server.lifecycle import serve
from services.chassis.server.settings import ServerSettings
from services.chassis.store.database import Database
from tests.support.chassis.echo_service import Echo, echo_server, echo_service
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.identity.known_callers import KnownCallers
from tests.support.limits import WAIT_S
from tests.support.store.databases import SQLITE, databases_of, opened_database

Code = grpc.StatusCode
CALLERS = KnownCallers()
ONE, TWO = "echo-1", "echo-2"
REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    """The database that the instances share."""
    with databases_of(SQLITE, no_pool) as databases:
        async with opened_database(databases) as opened:
            yield opened


def no_pool() -> Any:
    """SQLite needs no server."""
    raise AssertionError("nobody asks for PostgreSQL")


def instance(
    database: Database, instance_id: str, ending: asyncio.Event
) -> AbstractAsyncContextManager[Echo]:
    """An instance that knows its callers; `ending` is set when its stop begins."""
    return echo_server(
        database=database,
        security=CALLERS.security,
        settings={"instance_id": instance_id},
        begin_stop=ending.set,
    )


def asked(instance_id: str = ONE, **changes: str) -> pb.DrainInstanceRequest:
    """A request of an operator."""
    fields = {"request_id": REQUEST_ID, "instance_id": instance_id, "reason": "it is slow"}
    return pb.DrainInstanceRequest(**{**fields, **changes})


def drain(echo: Echo, request: pb.DrainInstanceRequest, *, role: str = "OPERATOR") -> Any:
    """Ask an instance, as Olga."""
    metadata = CALLERS.person("olga", role)
    return InstanceServiceStub(echo.channel).DrainInstance(request, metadata=metadata)


async def records(database: Database) -> list[AuditRecord]:
    """The audit records of the service."""
    read = partial(audit_log.page, actor="", newest_first=False, after_sequence=0, row_limit=10)
    return await database.read(read)


async def refused(echo: Echo, request: pb.DrainInstanceRequest, **options: Any) -> Refusal:
    """How an instance refuses a request."""
    return await refusal(drain(echo, request, **options))


async def test_the_instance_that_is_named_ends_and_leaves_a_record(database: Database) -> None:
    """It answers who ends, and the record tells who asked for it and why."""
    ending = asyncio.Event()
    async with instance(database, ONE, ending) as echo:
        answer = await drain(echo, asked())
        async with asyncio.timeout(WAIT_S):
            await ending.wait()
        expected = pb.DrainInstanceResponse(
            instance_id=ONE, incarnation=echo.server.instance.incarnation
        )

    (record,) = await records(database)
    packed = AnyMessage()
    packed.Pack(expected)
    assert answer == expected
    assert (record.actor, record.reason) == ("person:olga", "it is slow")
    assert record.method == "tradepost.instance.v1.InstanceService.DrainInstance"
    assert record.response == packed


async def test_another_instance_that_gets_the_call_refuses_it(database: Database) -> None:
    """An address may have been taken over since: nobody ends who wasn't meant."""
    ending = asyncio.Event()
    async with instance(database, TWO, ending) as echo:
        answer = await refused(echo, asked(ONE))

    assert (answer.code, answer.reason) == (Code.FAILED_PRECONDITION, "NOT_THIS_INSTANCE")
    assert answer.facts == {"asked_instance_id": ONE, "instance_id": TWO}
    assert not ending.is_set()
    assert await records(database) == []


@pytest.mark.parametrize("role", ["CUSTOMER", "CLERK"])
async def test_only_operators_end_an_instance(database: Database, role: str) -> None:
    """Who may not run the services may not end one."""
    ending = asyncio.Event()
    async with instance(database, ONE, ending) as echo:
        answer = await refused(echo, asked(), role=role)

    assert (answer.code, answer.reason) == (Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
    assert not ending.is_set()


async def test_a_repetition_is_answered_the_same_and_ends_no_other(database: Database) -> None:
    """A sibling, and the same instance started again, repeat the answer and go on."""
    async with instance(database, ONE, asyncio.Event()) as echo:
        first = await drain(echo, asked())
    for name in (TWO, ONE):
        ending = asyncio.Event()
        async with instance(database, name, ending) as echo:
            call = drain(echo, asked())
            assert await call == first
            assert (REPLAYED_KEY, "true") in list(await call.trailing_metadata())
        assert not ending.is_set()

    assert len(await records(database)) == 1


async def test_a_repetition_ends_an_instance_that_has_not_begun_to(database: Database) -> None:
    """A first call may be committed without its caller or its instance learning of it."""
    ending = asyncio.Event()
    async with instance(database, ONE, ending) as echo:
        first = await drain(echo, asked())
        ending.clear()
        assert await drain(echo, asked()) == first
        assert ending.is_set()

    assert len(await records(database)) == 1


async def test_a_bad_request_ends_nothing(database: Database) -> None:
    """Every bad field is named at once, and a used request_id asks for nothing else."""
    ending = asyncio.Event()
    async with instance(database, ONE, ending) as echo:
        bad = await refused(echo, asked(request_id="7", instance_id="", reason="x" * 501))
        assert not ending.is_set()
        await drain(echo, asked())
        reused = await refused(echo, asked(reason="for another reason"))

    assert (bad.code, bad.reason) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert set(bad.bad_fields) == {"request_id", "instance_id", "reason"}
    assert (reused.code, reused.reason) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.usefixtures("process_settings")
async def test_a_drained_instance_ends_as_at_a_signal(database: Database) -> None:
    """It leaves the registry, answers the call, returns, and ignores signals from then on."""
    registry, clock, rng = MemoryRegistry(), SystemClock(), random.Random(7)
    serving = asyncio.create_task(
        serve(
            echo_service(database=database),
            settings=ServerSettings(instance_id=ONE, drain_s=0),
            registrar=registry,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
            # As everywhere in tests: it holds for the rest of the process.
            log_level="warning",
        )
    )
    async with asyncio.timeout(WAIT_S):
        async for listed in registry.watch("echo"):
            if listed:
                break
        async with grpc.aio.insecure_channel(listed[0].endpoint) as channel:
            answer = await InstanceServiceStub(channel).DrainInstance(asked())
        await serving

    assert answer.incarnation == listed[0].incarnation
    assert await registry.lookup("echo") == ()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
