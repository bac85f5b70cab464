"""An event that cannot be applied is parked with the later ones of its aggregate only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import (
    DeadLetterServiceAsyncStub,
    DeadLetterServiceStub,
)

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.errors import DeadLetterNotFoundError
from services.chassis.consumer.inbox import BLOCKED, ConsumerPosition
from services.chassis.request.pages import encode_token
from tests.support.bad_input.bad_values import REASON
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.event_consumer import NAME, Consumer, Notebook, consumer
from tests.support.chassis.event_source import Source, event_source, text_of
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

Code = grpc.StatusCode
REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """The service whose feed is consumed."""
    async with event_source(databases) as opened:
        yield opened


@pytest.fixture
async def one(source: Source, databases: Databases) -> AsyncIterator[Consumer]:
    """A consumer that refuses the text Unwritable, and has received one such event."""
    notebook = Notebook(unwritable={"Unwritable"})
    async with consumer(databases, source.channel, notebook=notebook) as opened:
        await source.append("ord_1", "Placed")
        await source.append("ord_2", "Placed", "Unwritable", "Confirmed")
        await source.append("ord_1", "Confirmed")
        async with asyncio.timeout(WAIT_S):
            await opened.wait_for_position(5)
        yield opened


@asynccontextmanager
async def served(one: Consumer) -> AsyncIterator[DeadLetterServiceAsyncStub]:
    """DeadLetterService over real gRPC."""
    consumed = ConsumedFeeds(dead_letter_admin=one.dead_letter_admin)
    async with echo_server(name=NAME, consumed=consumed) as echo:
        yield DeadLetterServiceStub(echo.channel)


async def test_a_failing_event_delays_its_aggregate_only(one: Consumer, source: Source) -> None:
    """A failing event and later ones of its aggregate are parked; other aggregates go on."""
    await source.append("ord_2", "Fulfilled")
    await source.append("ord_1", "Fulfilled")
    async with asyncio.timeout(WAIT_S):
        await one.wait_for_position(7)

    assert await one.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"], "ord_2": ["Placed"]}
    dead_letters = await one.parked()
    assert [text_of(each.event) for each in dead_letters] == [
        "Unwritable",
        "Confirmed",
        "Fulfilled",
    ]
    assert [each.attempt_count for each in dead_letters] == [1, 0, 0]
    assert [each.error for each in dead_letters] == [
        "UnwritableError: Unwritable can't be written",
        BLOCKED,
        BLOCKED,
    ]
    assert {each.consumer for each in dead_letters} == {NAME}


async def test_a_failed_event_leaves_no_trace(one: Consumer) -> None:
    """The writes of a failed handler are undone; other events of the batch are applied."""
    notes = await one.notes()
    assert "Unwritable" not in notes["ord_2"]
    assert notes["ord_1"] == ["Placed", "Confirmed"]


async def test_after_the_repair_a_replay_applies_them_in_order(
    one: Consumer, source: Source
) -> None:
    """After the cause is fixed, a replay applies parked events in order; new ones are applied."""
    one.notebook.unwritable.clear()
    assert await one.replay("ord_2") == 2
    await source.append("ord_2", "Fulfilled")
    async with asyncio.timeout(WAIT_S):
        await one.wait_for_position(6)

    assert (await one.notes())["ord_2"] == ["Placed", "Unwritable", "Confirmed", "Fulfilled"]
    assert await one.parked() == []
    # A replay calls the wake-ups after its COMMIT, like a batch.
    assert one.notebook.written == 6


async def test_a_replay_before_the_repair_changes_nothing(one: Consumer) -> None:
    """A replay that fails again counts the attempt, and applies the events before it."""
    assert await one.replay("ord_2") == 0
    assert [each.attempt_count for each in await one.parked()] == [2, 0]

    one.notebook.unwritable = {"Confirmed"}
    assert await one.replay("ord_2") == 1
    assert (await one.notes())["ord_2"] == ["Placed", "Unwritable"]
    (left,) = await one.parked()
    assert (left.attempt_count, left.error) == (1, "UnwritableError: Confirmed can't be written")


async def test_a_discarded_event_is_never_applied(one: Consumer, source: Source) -> None:
    """A discarded event is never applied, even after a rewind; later ones stay parked."""
    await one.discard((await one.parked())[0])
    assert [text_of(each.event) for each in await one.parked()] == ["Confirmed"]
    await source.append("ord_2", "Fulfilled")
    async with asyncio.timeout(WAIT_S):
        await one.wait_for_position(6)
    assert await one.replay("ord_2") == 2

    reached = await one.position()
    assert reached is not None
    await one.database.write(one.subscription.inbox.move, ConsumerPosition(reached.epoch, 0))
    await source.append("ord_2", "Refunded")
    async with asyncio.timeout(WAIT_S):
        await one.wait_for_position(7)
    assert (await one.notes())["ord_2"] == ["Placed", "Confirmed", "Fulfilled", "Refunded"]
    assert await one.parked() == []


async def test_discarding_the_last_parked_event_unblocks_the_aggregate(
    one: Consumer, source: Source
) -> None:
    """After the last parked event is discarded, new events of the aggregate are applied."""
    for dead_letter in await one.parked():
        await one.discard(dead_letter)
    await source.append("ord_2", "Fulfilled")
    async with asyncio.timeout(WAIT_S):
        await one.wait_for_position(6)
    assert (await one.notes())["ord_2"] == ["Placed", "Fulfilled"]


async def test_a_repeated_request_has_no_second_effect(one: Consumer) -> None:
    """A repeated request returns the first response and says so; another body is refused."""
    one.notebook.unwritable.clear()
    request = pb.ReplayDeadLettersRequest(
        request_id=REQUEST_ID, consumer=NAME, aggregate_id="ord_2"
    )
    async with served(one) as stub:
        first = await stub.ReplayDeadLetters(request)
        repeated = stub.ReplayDeadLetters(request)
        assert (await repeated) == first == pb.ReplayDeadLettersResponse(applied_count=2)
        assert ("tradepost-replayed", "true") in list(await repeated.trailing_metadata())
        request.aggregate_id = "ord_1"
        reused = await refusal(stub.ReplayDeadLetters(request))
    assert (reused.code, reused.reason) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.parametrize("reason", [bad.value for bad in REASON])
async def test_a_reason_is_short_and_visible(one: Consumer, reason: str) -> None:
    """What is parked stays so until somebody says why it is replayed or given up."""
    parked = await one.parked()
    replay = pb.ReplayDeadLettersRequest(
        request_id=REQUEST_ID, consumer=NAME, aggregate_id="ord_2", reason=reason
    )
    discard = pb.DiscardDeadLetterRequest(
        request_id=REQUEST_ID, dead_letter_id=parked[0].dead_letter_id, reason=reason
    )
    async with served(one) as stub:
        for call in (stub.ReplayDeadLetters(replay), stub.DiscardDeadLetter(discard)):
            answer = await refusal(call)
            assert (answer.code, set(answer.bad_fields)) == (Code.INVALID_ARGUMENT, {"reason"})
    assert await one.parked() == parked


async def test_dead_letters_are_listed_page_by_page(one: Consumer, source: Source) -> None:
    """Pages list dead letters in the order of parking, each once, while others are parked."""
    async with served(one) as stub, asyncio.timeout(WAIT_S):
        request = pb.ListDeadLettersRequest(consumer=NAME, page_size=1)
        first = await stub.ListDeadLetters(request)
        await source.append("ord_3", "Unwritable")
        await one.wait_for_position(6)
        request.page_token, request.page_size = first.next_page_token, 50
        rest = await stub.ListDeadLetters(request)
        others = await refusal(stub.ListDeadLetters(pb.ListDeadLettersRequest(consumer="nobody")))
        everybody = await stub.ListDeadLetters(pb.ListDeadLettersRequest())
        request.consumer = "nobody"
        foreign = await refusal(stub.ListDeadLetters(request))

    positions = [each.event.position for each in (*first.dead_letters, *rest.dead_letters)]
    assert (positions, rest.next_page_token) == ([3, 4, 6], "")
    assert (others.code, others.reason) == (Code.NOT_FOUND, "CONSUMER_NOT_FOUND")
    assert others.message.endswith(f"the service has: {NAME}")
    assert len(everybody.dead_letters) == 3
    assert set(foreign.bad_fields) == {"page_token"}


async def test_an_event_that_is_not_parked_is_not_found(one: Consumer) -> None:
    """Unknown aggregates, consumers and dead letters are NOT_FOUND."""
    (dead_letter, _) = await one.parked()
    await one.discard(dead_letter)
    async with served(one) as stub:
        for consumer_, aggregate, reason, facts in (
            (
                NAME,
                "ord_1",
                "DEAD_LETTER_NOT_FOUND",
                {"consumer": NAME, "aggregate_id": "ord_1"},
            ),
            ("nobody", "ord_2", "CONSUMER_NOT_FOUND", {"consumer": "nobody"}),
        ):
            refused = await refusal(
                stub.ReplayDeadLetters(
                    pb.ReplayDeadLettersRequest(
                        request_id=REQUEST_ID, consumer=consumer_, aggregate_id=aggregate
                    )
                )
            )
            assert (refused.code, refused.reason) == (Code.NOT_FOUND, reason)
            assert refused.facts == facts
        with pytest.raises(DeadLetterNotFoundError):
            await one.discard(dead_letter)


async def test_bad_requests_name_every_field(one: Consumer) -> None:
    """Every invalid field of a request is reported."""
    async with served(one) as stub:
        replaying = await refusal(stub.ReplayDeadLetters(pb.ReplayDeadLettersRequest()))
        discarding = await refusal(
            stub.DiscardDeadLetter(pb.DiscardDeadLetterRequest(dead_letter_id="dlt_7"))
        )
        bad = pb.ListDeadLettersRequest(consumer=" ", page_token="?", page_size=-1)
        listing = await refusal(stub.ListDeadLetters(bad))
        forged = pb.ListDeadLettersRequest(page_token=encode_token([1, 2], b""))
        turning = await refusal(stub.ListDeadLetters(forged))

    assert set(replaying.bad_fields) == {"request_id", "consumer", "aggregate_id"}
    assert set(discarding.bad_fields) == {"request_id", "dead_letter_id", "reason"}
    assert set(listing.bad_fields) == {"consumer", "page_token", "page_size"}
    assert set(turning.bad_fields) == {"page_token"}
