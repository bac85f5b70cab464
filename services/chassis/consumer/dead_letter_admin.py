"""Lists, replays and discards the dead letters of a service, for operators."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from discovery.clock import Clock
from services.chassis.consumer import dead_letter_table
from services.chassis.consumer.dead_letter_table import DeadLetterRow
from services.chassis.consumer.errors import ConsumerNotFoundError, DeadLetterNotFoundError
from services.chassis.consumer.inbox import Attempt, Inbox, Replayed
from services.chassis.feed.wire import MAX_NAME_CHARACTERS
from services.chassis.identity import caller
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.answer_size import fitting_messages
from services.chassis.request.idempotent_writes import StoredResponse
from services.chassis.request.pages import (
    check_page_size,
    check_page_token,
    encode_token,
    refuse_page_token,
)
from services.chassis.request.request_ids import own_steps
from services.chassis.request.validation import Check
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry import logs
from services.chassis.telemetry.error_text import describe

# At most so many events are applied by one call, in one transaction.
REPLAY_MAX = 1_000


class DeadLetterAdmin:
    """Lists, replays and discards the dead letters of the consumers of one service.

    A replay needs no lease, because writers run one after another: an event that arrives meanwhile
    is either parked before the replay, and replayed too, or applied after it.
    """

    def __init__(
        self, *, database: Database, inboxes: Sequence[Inbox], clock: Clock, audited: AuditedWrites
    ) -> None:
        self._database = database
        self._inboxes = {inbox.consumer: inbox for inbox in inboxes}
        self._clock = clock
        self._audited = audited
        self._log = logs.get_logger("dead_letters")

    async def list(self, request: pb.ListDeadLettersRequest) -> pb.ListDeadLettersResponse:
        """List a page of parked events, and of discarded ones if the request asks for them.

        Raises InvalidRequestError and ConsumerNotFoundError.
        """
        check = Check()
        consumer = _consumer(check, request.consumer, required=False)
        size = check_page_size(check, request.page_size)
        arguments = (
            f"{consumer}+discarded".encode() if request.show_discarded else consumer.encode()
        )
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
            dead_letter_table.page,
            consumer=consumer,
            after_sequence=after_sequence,
            limit=size + 1,
            show_discarded=request.show_discarded,
        )
        found = await self._database.read(read)
        # A consumer that an older version of the service had may have left letters.
        if consumer and not found and consumer not in self._inboxes:
            raise ConsumerNotFoundError(consumer, self._inboxes)
        messages = map(_to_message, found[:size])
        listed = list(fitting_messages(messages))
        response = pb.ListDeadLettersResponse(dead_letters=listed)
        if len(listed) < len(found):
            newest = found[len(listed) - 1]
            response.next_page_token = encode_token([newest.sequence], arguments)
        return response

    async def replay(self, request: pb.ReplayDeadLettersRequest) -> StoredResponse:
        """Apply the parked events of an aggregate in order, until one fails again.

        Raises InvalidRequestError, RequestIdReusedError, ConsumerNotFoundError and
        DeadLetterNotFoundError.
        """
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        _consumer(check, request.consumer)
        check.text("aggregate_id", request.aggregate_id, max_len=MAX_NAME_CHARACTERS)
        check.reason(request.reason)
        check.done()
        failures: dict[int, str] = {}
        while True:
            # A constraint shows only when changes are sent, and must name its event.
            attempt = Attempt(sends_each=True)
            replay = partial(self._replay, request=request, failures=failures, attempt=attempt)
            try:
                return await self._audited(request_id, request, replay)
            except (StoreUnavailableError, StoreOverloadedError):
                raise
            except Exception as error:
                # The next round stops before the failed event, and commits what comes before it.
                if attempt.event is None or attempt.event.position in failures:
                    raise
                failures[attempt.event.position] = describe(error)
                self._log.warning(
                    "replay_failed",
                    consumer=request.consumer,
                    aggregate=request.aggregate_id,
                    error=failures[attempt.event.position],
                )

    async def discard(self, request: pb.DiscardDeadLetterRequest) -> StoredResponse:
        """Discard one dead letter for good. Raises the same errors as `replay`."""
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        check.identifier("dead_letter_id", request.dead_letter_id, "dlt")
        check.reason(request.reason, required=True)
        check.done()
        discard = partial(self._discard, request=request)
        return await self._audited(request_id, request, discard)

    def _replay(
        self,
        connection: Connection,
        *,
        request: pb.ReplayDeadLettersRequest,
        failures: dict[int, str],
        attempt: Attempt,
    ) -> StoredResponse:
        consumer, aggregate_id = request.consumer, request.aggregate_id
        inbox = self._inboxes.get(consumer)
        if inbox is None:
            raise ConsumerNotFoundError(consumer, self._inboxes)
        found = dead_letter_table.of_aggregate(connection, consumer, aggregate_id, REPLAY_MAX)
        if not found:
            raise DeadLetterNotFoundError(consumer=consumer, aggregate_id=aggregate_id)
        with own_steps():
            replayed: Replayed = inbox.replay(connection, found, failures=failures, attempt=attempt)
        response = pb.ReplayDeadLettersResponse(applied_count=replayed.applied_count)
        return StoredResponse(response.SerializeToString(), replayed.after_commit)

    def _discard(
        self, connection: Connection, *, request: pb.DiscardDeadLetterRequest
    ) -> StoredResponse:
        found = dead_letter_table.find(connection, request.dead_letter_id)
        if found is None:
            raise DeadLetterNotFoundError(dead_letter_id=request.dead_letter_id)
        dead_letter_table.discard(
            connection,
            found,
            reason=request.reason,
            actor=caller.current().actor,
            now=self._clock.now(),
        )
        response = pb.DiscardDeadLetterResponse(dead_letter=_to_message(found))
        return StoredResponse(response.SerializeToString())


def _consumer(check: Check, consumer: str, *, required: bool = True) -> str:
    return check.text("consumer", consumer, max_len=MAX_NAME_CHARACTERS, required=required)


def _to_message(row: DeadLetterRow) -> event_pb2.DeadLetter:
    message = event_pb2.DeadLetter(
        dead_letter_id=row.dead_letter_id,
        consumer=row.consumer,
        event=row.event,
        error=row.error,
        attempt_count=row.attempt_count,
        discard_reason=row.discard_reason,
        discard_actor=row.discard_actor,
    )
    message.park_time.FromDatetime(row.park_time)
    if row.discard_time is not None:
        message.discard_time.FromDatetime(row.discard_time)
    return message
