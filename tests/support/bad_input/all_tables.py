"""The tables of every method that a server serves, by full name."""

from collections.abc import Mapping

from tests.support.bad_input import kinds
from tests.support.bad_input.kinds import ANY, EMOJI, NUL, OVERSIZED
from tests.support.bad_input.orders import ORDERS, SAGAS
from tests.support.bad_input.payments import BOOK, PAYMENTS
from tests.support.bad_input.stock import STOCK
from tests.support.bad_input.table import Code, Refused, Table, not_served

_NAME = kinds.each("x" * 201, NUL, "   ", OVERSIZED)
_TYPES = (
    *kinds.each(["tradepost.order.v1.OrderPlaced"] * kinds.TOO_MANY),
    *kinds.entries((*kinds.each(""), *_NAME), ["tradepost.order.v1.OrderPlaced"]),
)
_AHEAD = Refused({"after_position": kinds.MAX_INT64}, Code.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD")
_FEED = {
    "ReadEvents": Table(
        {},
        {
            "after_position": kinds.NATURAL,
            "types": _TYPES,
            "aggregate_id": (*kinds.each(""), *_NAME),
            "page_size": kinds.PAGE_SIZE,
        },
        refused=(_AHEAD,),
    ),
    "SubscribeEvents": Table(
        {},
        {
            "consumer": _NAME,
            "epoch": _NAME,
            "after_position": kinds.NATURAL,
            "types": _TYPES,
            "max_batch": kinds.PAGE_SIZE,
            "gather": kinds.AGE,
            "topic": _NAME,
        },
        refused=(
            _AHEAD,
            Refused({"epoch": "of old"}, Code.FAILED_PRECONDITION, "EPOCH_CHANGED"),
        ),
    ),
    "GetFeed": Table({}, {}),
}
# None of these services consumes a feed, so none sets letters aside or can be put back.
_DEAD_LETTERS = {
    "ListDeadLetters": not_served(consumer=ANY, page_size=ANY, page_token=ANY),
    "ReplayDeadLetters": not_served(request_id=ANY, consumer=ANY, aggregate_id=ANY),
    "DiscardDeadLetter": not_served(request_id=ANY, dead_letter_id=ANY, reason=ANY),
}
_SUBSCRIPTIONS = {
    "ListSubscriptions": not_served(),
    "RewindSubscription": not_served(request_id=ANY, consumer=ANY, after_position=ANY),
}
_HEALTH = {
    "Check": Table(
        {},
        {"service": ANY},
        refused=tuple(
            Refused({"service": name}, Code.NOT_FOUND, "SERVICE_UNKNOWN")
            for name in ("tradepost.order.v2.OrderService", NUL, "🥛" * 1_000, OVERSIZED)
        ),
    ),
    # It must stay open and say SERVICE_UNKNOWN: grpc/health/v1/health.proto.
    "Watch": Table({"service": EMOJI}, {"service": ANY}),
    "List": Table({}, {}),
}
_SERVICES: Mapping[str, Mapping[str, Table]] = {
    "tradepost.order.v1.OrderService": ORDERS,
    "tradepost.order.admin.v1.SagaAdminService": SAGAS,
    "tradepost.payment.v1.PaymentService": PAYMENTS,
    "tradepost.payment.testing.v1.SimulatedProcessorService": BOOK,
    "tradepost.inventory.v1.InventoryService": STOCK,
    "tradepost.event.v1.EventFeedService": _FEED,
    "tradepost.event.v1.DeadLetterService": _DEAD_LETTERS,
    "tradepost.event.v1.SubscriptionService": _SUBSCRIPTIONS,
    "grpc.health.v1.Health": _HEALTH,
}
TABLES: Mapping[str, Table] = {
    f"{service}/{method}": table
    for service, tables in _SERVICES.items()
    for method, table in tables.items()
}
