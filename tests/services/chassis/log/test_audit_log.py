"""A change that no event tells of leaves a record of who made it, when, why, and its outcome."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from sqlalchemy import Connection
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import AuditRecord, Subscription
from tradepost.event.v1.event_service_pb2_grpc import AuditServiceStub

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from services.chassis.log import audit_log
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.idempotent_writes import IdempotentWrites, StoredResponse
from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

OLGA = Caller(subject="olga", roles=frozenset({"OPERATOR"}))
REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a1{}"
RESPONSE = pb.RewindSubscriptionResponse(rewound_from=Subscription(consumer="mail", position=7))


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases, clock=clock) as opened:
        yield opened


def rewind(number: int = 1) -> pb.RewindSubscriptionRequest:
    """A request of an operator."""
    return pb.RewindSubscriptionRequest(
        request_id=REQUEST_ID.format(number), consumer="mail", after_position=3, reason="sent twice"
    )


async def change_as(
    who: Caller, database: Database, clock: ManualClock, number: int = 1, *, fails: bool = False
) -> StoredResponse:
    """Make a change in a task of its own whose caller is `who`."""

    def write(_: Connection) -> StoredResponse:
        # As a replay does, which applies events under their own correlation.
        correlation.bind(Correlation("cor_of_an_event"))
        if fails:
            raise ValueError("refused")
        return StoredResponse(RESPONSE.SerializeToString())

    async def change() -> StoredResponse:
        caller.bind(who)
        correlation.bind(Correlation("cor_1"))
        audited = AuditedWrites(IdempotentWrites(database, clock), "notebook-1")
        return await audited(rewind(number).request_id, rewind(number), write)

    return await asyncio.create_task(change())


async def records(database: Database, actor: str = "") -> list[AuditRecord]:
    """All records of an actor."""
    read = partial(audit_log.page, actor=actor, newest_first=False, after_sequence=0, row_limit=10)
    return await database.read(read)


async def test_a_record_tells_who_did_what_when_why_and_the_outcome(
    database: Database, clock: ManualClock
) -> None:
    """An auditor needs nothing else to tell what happened."""
    await change_as(OLGA, database, clock)

    asked, answered = Any(), Any()
    asked.Pack(rewind())
    answered.Pack(RESPONSE)
    expected = AuditRecord(
        sequence=1,
        actor="person:olga",
        method="tradepost.event.v1.SubscriptionService.RewindSubscription",
        reason="sent twice",
        request=asked,
        response=answered,
        correlation_id="cor_1",
        instance_id="notebook-1",
    )
    expected.occur_time.FromDatetime(clock.now())
    assert await records(database) == [expected]


async def test_a_repeated_request_leaves_one_record(database: Database, clock: ManualClock) -> None:
    """A change that was made once is recorded once, however often its answer is asked for."""
    first = await change_as(OLGA, database, clock)
    again = await change_as(OLGA, database, clock)

    assert (first.replayed, again.replayed) == (False, True)
    assert len(await records(database)) == 1


async def test_a_refused_change_leaves_no_record(database: Database, clock: ManualClock) -> None:
    """The record is in the transaction of the change: without the one there is no other."""
    with pytest.raises(ValueError, match="refused"):
        await change_as(OLGA, database, clock, fails=True)

    assert await records(database) == []


async def test_records_are_listed_in_order_and_by_actor(
    database: Database, clock: ManualClock
) -> None:
    """AuditService pages through the records of all, or of one actor."""
    for number, who in enumerate((OLGA, Caller(service="order"), OLGA)):
        await change_as(who, database, clock, number)
    async with echo_server(name="shop", database=database) as echo:
        stub = AuditServiceStub(echo.channel)
        first = await stub.ListAuditRecords(pb.ListAuditRecordsRequest(page_size=2))
        rest = await stub.ListAuditRecords(
            pb.ListAuditRecordsRequest(page_size=2, page_token=first.next_page_token)
        )
        hers = await stub.ListAuditRecords(pb.ListAuditRecordsRequest(actor="person:olga"))

    assert [each.sequence for each in (*first.audit_records, *rest.audit_records)] == [1, 2, 3]
    assert not rest.next_page_token
    assert [each.sequence for each in hers.audit_records] == [1, 3]


async def test_the_newest_records_can_be_listed_first(
    database: Database, clock: ManualClock
) -> None:
    """An operator who asks what just happened needn't page through all that ever did."""
    for number in range(3):
        await change_as(OLGA, database, clock, number)
    async with echo_server(name="shop", database=database) as echo:
        stub = AuditServiceStub(echo.channel)
        first = await stub.ListAuditRecords(
            pb.ListAuditRecordsRequest(page_size=2, newest_first=True)
        )
        rest = await stub.ListAuditRecords(
            pb.ListAuditRecordsRequest(
                page_size=2, newest_first=True, page_token=first.next_page_token
            )
        )

    assert [each.sequence for each in (*first.audit_records, *rest.audit_records)] == [3, 2, 1]
    assert not rest.next_page_token


async def test_a_token_of_another_list_is_refused(database: Database, clock: ManualClock) -> None:
    """A page token belongs to the actor whose records were listed."""
    for number in range(2):
        await change_as(OLGA, database, clock, number)
    async with echo_server(name="shop", database=database) as echo:
        stub = AuditServiceStub(echo.channel)
        page = await stub.ListAuditRecords(pb.ListAuditRecordsRequest(page_size=1))
        refused = await refusal(
            stub.ListAuditRecords(
                pb.ListAuditRecordsRequest(actor="person:olga", page_token=page.next_page_token)
            )
        )
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
