"""Repairs of a consumer by an operator tell who made them, when and why."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import AuditRecord

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from services.chassis.log import audit_log
from services.chassis.request.errors import InvalidRequestError
from services.chassis.request.pages import encode_token
from tests.support.chassis.event_consumer import NAME, Consumer, Notebook, consumer
from tests.support.chassis.event_source import event_source, text_of
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

OLGA = Caller(subject="olga", roles=frozenset({"OPERATOR"}))

T = TypeVar("T")


@pytest.fixture
async def one(databases: Databases) -> AsyncIterator[Consumer]:
    """A consumer with two parked events of one order."""
    notebook = Notebook(unwritable={"Unwritable"})
    async with (
        event_source(databases) as source,
        consumer(databases, source.channel, notebook=notebook) as opened,
    ):
        await source.append("ord_2", "Placed", "Unwritable", "Confirmed")
        async with asyncio.timeout(WAIT_S):
            await opened.wait_for_position(3)
        yield opened


async def as_olga(work: Coroutine[Any, Any, T]) -> T:
    """Do it as the operator Olga, in a task of its own."""

    async def do() -> T:
        caller.bind(OLGA)
        return await work

    return await asyncio.create_task(do())


async def records(one: Consumer) -> list[AuditRecord]:
    """The audit records of the consuming service."""
    read = partial(audit_log.page, actor="", newest_first=False, after_sequence=0, row_limit=100)
    return await one.database.read(read)


async def test_every_repair_leaves_a_record(one: Consumer) -> None:
    """A replay, a discard and a rewind are all told, each with its request and its outcome."""
    one.notebook.unwritable.clear()
    parked = await one.parked()
    await as_olga(one.discard(parked[1]))
    await as_olga(one.replay("ord_2"))
    await as_olga(one.rewind(1))

    told = await records(one)
    assert {record.actor for record in told} == {"person:olga"}
    assert [record.method.rpartition(".")[2] for record in told] == [
        "DiscardDeadLetter",
        "ReplayDeadLetters",
        "RewindSubscription",
    ]
    assert told[0].reason == "nobody needs it"
    replayed, rewind = pb.ReplayDeadLettersResponse(), pb.RewindSubscriptionRequest()
    assert told[1].response.Unpack(replayed)
    assert told[2].request.Unpack(rewind)
    assert (replayed.applied_count, rewind.consumer, rewind.after_position) == (1, NAME, 1)


async def test_a_discarded_event_tells_who_discarded_it(one: Consumer) -> None:
    """ListDeadLetters shows discarded events if asked, with who discarded them, when and why."""
    await as_olga(one.discard((await one.parked())[0]))

    listed = await one.dead_letter_admin.list(pb.ListDeadLettersRequest(show_discarded=True))
    discarded, parked = listed.dead_letters
    assert [text_of(each.event) for each in (discarded, parked)] == ["Unwritable", "Confirmed"]
    assert (discarded.discard_actor, discarded.discard_reason) == ("person:olga", "nobody needs it")
    assert discarded.HasField("discard_time")
    assert not parked.HasField("discard_time")
    assert [text_of(each.event) for each in await one.parked()] == ["Confirmed"]


async def test_pages_of_both_lists_of_dead_letters_are_told_apart(one: Consumer) -> None:
    """A token of the list of parked events is not one of the list with discarded events."""
    token = encode_token([1], NAME.encode())
    parked = await one.dead_letter_admin.list(
        pb.ListDeadLettersRequest(consumer=NAME, page_token=token)
    )
    assert [text_of(each.event) for each in parked.dead_letters] == ["Confirmed"]
    with pytest.raises(InvalidRequestError):
        await one.dead_letter_admin.list(
            pb.ListDeadLettersRequest(consumer=NAME, page_token=token, show_discarded=True)
        )


async def test_an_event_that_a_person_replays_is_recorded_by_that_person(one: Consumer) -> None:
    """What a replay writes is written by whoever asked for it, under the cause of the event."""
    actors: list[str] = []
    one.notebook.before = lambda _, __: actors.append(caller.current().actor)
    await as_olga(one.replay("ord_2"))
    assert actors
    assert set(actors) == {"person:olga"}
