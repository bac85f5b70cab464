"""What an operator does with events that consumers of this service could not apply."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from discovery.clock import Clock
from services.chassis.consumer import dead_letter_table as letters
from services.chassis.consumer.dead_letter_table import DeadLetterRow
from services.chassis.consumer.errors import DeadLetterNotFoundError
from services.chassis.consumer.inbox import Attempt, Inbox, Replayed, describe
from services.chassis.request.idempotent_writes import IdempotentWrites, StoredResponse
from services.chassis.request.pages import (
    check_page_size,
    check_page_token,
    encode_token,
    refuse_page_token,
)
from services.chassis.request.validation import Check
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry import logs

# So many letters are applied by one call, in one transaction.
REPLAY_MAX = 1_000
MAX_NAME_CHARACTERS = 200
# A client refuses messages of more than 4 MiB.
PAGE_BYTES_MAX = 3 * 1024 * 1024


class DeadLetterAdmin:
    """Lists, replays and discards the letters of the consumers of one service.

    A replay needs no lease: writers are serial, so an event that arrives meanwhile is parked
    before the replay, and replayed with the others, or comes when nothing is parked any more.
    """

    def __init__(self, *, database: Database, inboxes: Sequence[Inbox], clock: Clock) -> None:
        self._database = database
        self._inboxes = {inbox.consumer: inbox for inbox in inboxes}
        self._clock = clock
        self._once = IdempotentWrites(database, clock)
        self._log = logs.get_logger("dead_letters")

    async def list(self, request: pb.ListDeadLettersRequest) -> pb.ListDeadLettersResponse:
        """A page of parked letters. Raises InvalidRequestError."""
        check = Check()
        consumer = _consumer(check, request.consumer, required=False)
        size = check_page_size(check, request.page_size)
        arguments = consumer.encode()
        after_sequence = 0
        match check_page_token(check, request.page_token, arguments):
            case None:
                pass
            case [int(sequence)]:
                after_sequence = sequence
            case _:
                refuse_page_token(check)
        check.done()
        read = partial(
            letters.page, consumer=consumer, after_sequence=after_sequence, limit=size + 1
        )
        found = await self._database.read(read)
        shown = _fitting(found[:size])
        response = pb.ListDeadLettersResponse(dead_letters=[_to_message(one) for one in shown])
        if len(shown) < len(found):
            response.next_page_token = encode_token([shown[-1].sequence], arguments)
        return response

    async def replay(self, request: pb.ReplayDeadLettersRequest) -> StoredResponse:
        """Apply the parked events of an aggregate in order, until one fails again.

        Raises InvalidRequestError, RequestIdReusedError and DeadLetterNotFoundError.
        """
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        _consumer(check, request.consumer)
        check.text("aggregate_id", request.aggregate_id, max_len=MAX_NAME_CHARACTERS)
        check.done()
        poisoned: dict[int, str] = {}
        while True:
            attempt = Attempt()
            replay = partial(self._replay, request=request, poisoned=poisoned, attempt=attempt)
            try:
                return await self._once("ReplayDeadLetters", request_id, request, replay)
            except (StoreUnavailableError, StoreOverloadedError):
                raise
            except Exception as error:
                # The second time it stops in front of the event that failed.
                if attempt.event is None or attempt.event.position in poisoned:
                    raise
                poisoned[attempt.event.position] = describe(error)
                self._log.warning(
                    "replay failed", consumer=request.consumer, aggregate=request.aggregate_id
                )

    async def discard(self, request: pb.DiscardDeadLetterRequest) -> StoredResponse:
        """Give one letter up. Raises as `replay` does."""
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        check.identifier("dead_letter_id", request.dead_letter_id, "dlt")
        check.text("reason", request.reason, max_len=MAX_NAME_CHARACTERS)
        check.done()
        discard = partial(self._discard, request=request)
        return await self._once("DiscardDeadLetter", request_id, request, discard)

    def _replay(
        self,
        connection: Connection,
        *,
        request: pb.ReplayDeadLettersRequest,
        poisoned: dict[int, str],
        attempt: Attempt,
    ) -> StoredResponse:
        consumer, aggregate_id = request.consumer, request.aggregate_id
        inbox = self._inboxes.get(consumer)
        found: tuple[DeadLetterRow, ...] = ()
        if inbox is not None:
            found = letters.of_aggregate(connection, consumer, aggregate_id, REPLAY_MAX)
        if inbox is None or not found:
            raise DeadLetterNotFoundError(consumer=consumer, aggregate_id=aggregate_id)
        replayed: Replayed = inbox.replay(connection, found, poisoned=poisoned, attempt=attempt)
        response = pb.ReplayDeadLettersResponse(applied_count=replayed.applied_count)
        return StoredResponse(response.SerializeToString(), replayed.after_commit)

    def _discard(
        self, connection: Connection, *, request: pb.DiscardDeadLetterRequest
    ) -> StoredResponse:
        found = letters.find(connection, request.dead_letter_id)
        if found is None:
            raise DeadLetterNotFoundError(dead_letter_id=request.dead_letter_id)
        letters.discard(connection, found, reason=request.reason, now=self._clock.now())
        response = pb.DiscardDeadLetterResponse(dead_letter=_to_message(found))
        return StoredResponse(response.SerializeToString())


def _consumer(check: Check, consumer: str, *, required: bool = True) -> str:
    return check.text("consumer", consumer, max_len=MAX_NAME_CHARACTERS, required=required)


def _fitting(found: Sequence[DeadLetterRow]) -> Sequence[DeadLetterRow]:
    """As many letters, but at least one, as one message takes."""
    size_bytes = 0
    for number, letter in enumerate(found):
        size_bytes += letter.event.ByteSize()
        if size_bytes > PAGE_BYTES_MAX and number:
            return found[:number]
    return found


def _to_message(letter: DeadLetterRow) -> event_pb2.DeadLetter:
    message = event_pb2.DeadLetter(
        dead_letter_id=letter.dead_letter_id,
        consumer=letter.consumer,
        event=letter.event,
        error=letter.error,
        attempt_count=letter.attempt_count,
    )
    message.park_time.FromDatetime(letter.park_time)
    return message
