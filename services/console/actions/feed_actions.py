"""Rewinds consumers, and replays or discards what they could not apply."""

from tradepost.event.v1.event_service_pb2 import (
    DiscardDeadLetterRequest,
    ReplayDeadLettersRequest,
    RewindSubscriptionRequest,
)

from services.console.actions.intention import Intention, known_service
from services.console.reading.asker import Asker
from services.console.reading.stubs import Stubs


async def rewind(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Move a consumer back; `consumer` is "service/name"."""
    service, _, consumer = intention.value("consumer").partition("/")
    answer = await asker.call(
        stubs.subscriptions[known_service(service)].RewindSubscription,
        RewindSubscriptionRequest(
            request_id=intention.request_id,
            consumer=consumer,
            after_position=intention.whole("after_position"),
            reason=intention.reason,
        ),
    )
    return f"Rewound {consumer}, which was at {answer.rewound_from.position}."


async def replay(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Apply the parked events of one aggregate again."""
    aggregate_id = intention.value("aggregate_id")
    answer = await asker.call(
        stubs.dead_letters[known_service(intention.value("service"))].ReplayDeadLetters,
        ReplayDeadLettersRequest(
            request_id=intention.request_id,
            consumer=intention.value("consumer"),
            aggregate_id=aggregate_id,
            reason=intention.reason,
        ),
    )
    return f"Replayed {answer.applied_count} events of {aggregate_id}."


async def discard(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Discard one parked event."""
    answer = await asker.call(
        stubs.dead_letters[known_service(intention.value("service"))].DiscardDeadLetter,
        DiscardDeadLetterRequest(
            request_id=intention.request_id,
            dead_letter_id=intention.value("dead_letter_id"),
            reason=intention.reason,
        ),
    )
    event = answer.dead_letter.event
    return f"Discarded {event.type.rpartition('.')[2]} of {event.aggregate_id}."
