"""The test cases of every method of every server, by the full name of the method."""

from collections.abc import Mapping

from tests.support.bad_input import bad_values
from tests.support.bad_input.bad_values import ANY, EMOJI, NUL, OVERSIZED
from tests.support.bad_input.inventory_cases import INVENTORY_CASES
from tests.support.bad_input.method_cases import Code, MethodCases, RefusedRequest, not_served
from tests.support.bad_input.order_cases import ORDER_CASES, REQUEST_ID, SAGA_ADMIN_CASES
from tests.support.bad_input.payment_cases import PAYMENT_CASES, PROCESSOR_CASES

_NAME = (*bad_values.each("x" * 201, NUL, OVERSIZED), *bad_values.BLANK)
_TYPES = (
    *bad_values.each(["tradepost.order.v1.OrderPlaced"] * bad_values.TOO_MANY),
    *bad_values.entries((*bad_values.each(""), *_NAME), ["tradepost.order.v1.OrderPlaced"]),
)
_AHEAD = RefusedRequest(
    {"after_position": bad_values.MAX_INT64}, Code.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD"
)
_FEED = {
    "ReadEvents": MethodCases(
        {},
        {
            "after_position": bad_values.NATURAL,
            "types": _TYPES,
            "aggregate_id": (*bad_values.each(""), *_NAME),
            "page_size": bad_values.PAGE_SIZE,
            "allow_unknown": ANY,
        },
        refused=(_AHEAD,),
    ),
    "SubscribeEvents": MethodCases(
        {},
        {
            "consumer": _NAME,
            "epoch": _NAME,
            "after_position": bad_values.NATURAL,
            "types": _TYPES,
            "max_batch": bad_values.PAGE_SIZE,
            "gather": bad_values.AGE,
            "topic": _NAME,
            "after_event_id": _NAME,
            "allow_unknown": ANY,
        },
        refused=(
            _AHEAD,
            RefusedRequest({"epoch": "of old"}, Code.FAILED_PRECONDITION, "EPOCH_CHANGED"),
        ),
    ),
    "GetFeed": MethodCases({}, {}),
}
# None of these servers consumes a feed, so none has dead letters or subscriptions.
_DEAD_LETTERS = {
    "ListDeadLetters": not_served(consumer=ANY, page_size=ANY, page_token=ANY, show_discarded=ANY),
    "ReplayDeadLetters": not_served(request_id=ANY, consumer=ANY, aggregate_id=ANY, reason=ANY),
    "DiscardDeadLetter": not_served(request_id=ANY, dead_letter_id=ANY, reason=ANY),
}
_SUBSCRIPTIONS = {
    "ListSubscriptions": not_served(),
    "RewindSubscription": not_served(request_id=ANY, consumer=ANY, after_position=ANY, reason=ANY),
}
_AUDIT = {
    "ListAuditRecords": MethodCases(
        {},
        {
            "actor": bad_values.each("x" * 501, NUL, "   ", OVERSIZED),
            "page_size": bad_values.PAGE_SIZE,
            "page_token": bad_values.PAGE_TOKEN,
            "newest_first": ANY,
        },
    ),
}
_DRAIN = {
    "DrainInstance": MethodCases(
        {
            "request_id": REQUEST_ID,
            "instance_id": "order-7",
            "reason": "it is slow",
        },
        {
            "request_id": bad_values.UUID,
            "instance_id": (*bad_values.each("", "x" * 501, NUL, OVERSIZED), *bad_values.BLANK),
            "reason": bad_values.REQUIRED_REASON,
        },
        refused=(RefusedRequest({}, Code.FAILED_PRECONDITION, "NOT_THIS_INSTANCE"),),
    ),
}
_HEALTH = {
    "Check": MethodCases(
        {},
        {"service": ANY},
        refused=tuple(
            RefusedRequest({"service": name}, Code.NOT_FOUND, "SERVICE_UNKNOWN")
            for name in ("tradepost.order.v2.OrderService", NUL, "🥛" * 1_000, OVERSIZED)
        ),
    ),
    # For an unknown service it must answer SERVICE_UNKNOWN and stay open
    # (grpc/health/v1/health.proto).
    "Watch": MethodCases({"service": EMOJI}, {"service": ANY}),
    "List": MethodCases({}, {}),
}
_SERVICES: Mapping[str, Mapping[str, MethodCases]] = {
    "tradepost.order.v1.OrderService": ORDER_CASES,
    "tradepost.order.admin.v1.SagaAdminService": SAGA_ADMIN_CASES,
    "tradepost.payment.v1.PaymentService": PAYMENT_CASES,
    "tradepost.payment.testing.v1.SimulatedProcessorService": PROCESSOR_CASES,
    "tradepost.inventory.v1.InventoryService": INVENTORY_CASES,
    "tradepost.event.v1.EventFeedService": _FEED,
    "tradepost.event.v1.DeadLetterService": _DEAD_LETTERS,
    "tradepost.event.v1.SubscriptionService": _SUBSCRIPTIONS,
    "tradepost.event.v1.AuditService": _AUDIT,
    "tradepost.instance.v1.InstanceService": _DRAIN,
    "grpc.health.v1.Health": _HEALTH,
}
CASES: Mapping[str, MethodCases] = {
    f"{service}/{method}": cases
    for service, methods in _SERVICES.items()
    for method, cases in methods.items()
}
