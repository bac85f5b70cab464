"""Positions that a feed refuses, because it was restored or has deleted the events after them.

A consumer whose position is refused applies nothing until an operator acts: going on at the same
position would skip the events that the restored feed has written below it. Only a consumer that
begins, at position 0, goes on by itself: at the oldest event that the feed still has.
"""

from dataclasses import replace

from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger
from tradepost.event.v1 import event_service_pb2 as pb

from discovery.error_info import ErrorInfo
from services.chassis.consumer.inbox import ConsumerPosition, Inbox

_TRUNCATED = "POSITION_TRUNCATED"
# Reasons of a feed that has no complete list of the events after the consumer's position.
REFUSALS = frozenset({"HISTORY_CHANGED", "POSITION_AHEAD_OF_HEAD", _TRUNCATED})
_REMEDY = "begin a new epoch in the feed's service, or call RewindSubscription"


def record_refusal(connection: Connection, inbox: Inbox, refusal: ErrorInfo) -> bool:
    """Record for operators why the feed refuses the position; False if that is recorded already.

    A consumer at the beginning is moved to the oldest event instead.
    """
    reached = inbox.reached(connection)
    if reached is None or reached.refusal == refusal.reason:
        return False
    if refusal.reason == _TRUNCATED and reached.position == 0:
        oldest = int(refusal.metadata["oldest_position"])
        inbox.move(connection, ConsumerPosition(reached.epoch, oldest - 1))
        return False
    head = refusal.metadata.get("head_position")
    inbox.refuse(connection, reached, refusal.reason, None if head is None else int(head))
    return True


def log_stop(log: FilteringBoundLogger, refusal: ErrorInfo) -> None:
    """Log the refusal and what an operator can do."""
    log.error(
        "subscription_stopped",
        reason=refusal.reason,
        facts=dict(refusal.metadata),
        remedy=_REMEDY,
    )


def position_after(heartbeat: pb.Heartbeat, reached: ConsumerPosition) -> ConsumerPosition:
    """The position after a heartbeat; an older server does not say which event is there."""
    if heartbeat.position > reached.position:
        return ConsumerPosition(reached.epoch, heartbeat.position, heartbeat.event_id)
    if heartbeat.position == reached.position and not reached.event_id:
        return replace(reached, event_id=heartbeat.event_id)
    return reached
