"""Examples of every event that services record, in the order in which they occur.

Their bytes, as each version of the code wrote them, are in `tests/contracts/golden_events`. Those
of payment and inventory are here. Another service has its own in the module `event_examples` beside
what else its tests need; those of orders are in `tests/support/order/golden_events.py`.
"""

from datetime import UTC, datetime, timedelta
from importlib import import_module

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_event_pb2
from tradepost.order.v1 import order_event_pb2

from scripts.tools.paths import ROOT
from services.chassis.contracts import contracts
from services.chassis.domain.money import Money
from services.chassis.log.event_log import NewEvent
from services.inventory.domain import events as inv
from services.inventory.domain.state import CheckoutTerms, Demand, Line, Shortage
from services.inventory.domain.state import Origin as InventoryOrigin
from services.inventory.domain.state import Refusal as InventoryRefusal
from services.inventory.domain.state import RefusalReason as InventoryRefusalReason
from services.inventory.wire.events import to_new_event as of_inventory
from services.payment.domain import events as pay
from services.payment.domain.state import DeclineCode, Origin, Refusal, RefusalReason
from services.payment.wire.events import to_new_event as of_payment

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_BY_CALL, _BY_EVENT = Origin.ORCHESTRATED, Origin.CHOREOGRAPHED
_USD_500 = Money("USD", 500)
_USD_200 = Money("USD", 200)
_MILK = Money("USD", 250)

_STEP_IDS = order_event_pb2.CheckoutStepIds(
    reserve_request_id="req_9", authorize_request_id="req_10", commit_request_id="req_11"
).SerializeToString()
_HELD_FOR_A_PAYER = inv.ReservationHeld(
    "rsv_6",
    "ord_6",
    (Line("milk", 2, "Milk", _MILK),),
    Money("USD", 500),
    NOON + timedelta(seconds=120),
    InventoryOrigin.CHOREOGRAPHED,
    CheckoutTerms("ann", "pm_visa", NOON + timedelta(seconds=30), timedelta(days=7), _STEP_IDS),
)
# What the events of a choreographed checkout carry up to the authorization.
_HISTORY = inventory_event_pb2.CheckoutHistory(
    held=inventory_event_pb2.ReservationHeld.FromString(of_inventory(_HELD_FOR_A_PAYER).payload),
    payment_id="pay_6",
    authorize_expire_time=NOON + timedelta(days=7),
).SerializeToString()

_PAYMENT: tuple[pay.Event, ...] = (
    pay.AuthorizationRequested(
        "pay_1", "ord_1", "ann", _USD_500, "pm_visa", timedelta(days=7), "req_1", _BY_CALL
    ),
    pay.PaymentAuthorized("pay_1", "ord_1", _USD_500, "ref_1", NOON + timedelta(days=7), _BY_CALL),
    pay.PaymentDeclined(
        "pay_2",
        "ord_2",
        Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": "EXPIRED_CARD"}),
        DeclineCode.EXPIRED_CARD,
        _BY_CALL,
    ),
    pay.CaptureStarted("pay_1", "req_2", _BY_CALL),
    pay.PaymentCaptured("pay_1", "ord_1", _USD_500, "req_2", _BY_CALL),
    pay.CaptureRefused(
        "pay_3",
        "ord_3",
        "req_3",
        Refusal(RefusalReason.NOT_CAPTURED, {"why": "DO_NOT_HONOR"}),
        _BY_CALL,
    ),
    pay.VoidRequested("pay_3", "req_4", "too late"),
    pay.PaymentVoided("pay_3", "ord_3", "req_5"),
    pay.AuthorizationFenced("pay_4", "ord_4", "req_6", "req_7", "wrong order"),
    pay.AuthorizationExpired("pay_5"),
    pay.RefundRequested("pay_1", "rfd_1", "req_8", _USD_200, "person:olga", "goodwill"),
    pay.RefundSucceeded("pay_1", "ord_1", "rfd_1", _USD_200, "req_3", "person:olga", "goodwill"),
    pay.RefundFailed("pay_1", "rfd_2", Refusal(RefusalReason.REFUND_REFUSED)),
    pay.PaymentAuthorized(
        "pay_6", "ord_6", _USD_500, "ref_6", NOON + timedelta(days=7), _BY_EVENT, _HISTORY
    ),
    pay.PaymentDeclined(
        "pay_7",
        "ord_6",
        Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": "EXPIRED_CARD"}),
        DeclineCode.EXPIRED_CARD,
        _BY_EVENT,
        _HISTORY,
    ),
)
_INVENTORY: tuple[inv.ReservationEvent | inv.ItemEvent, ...] = (
    inv.ItemUpserted("milk", "Milk", _MILK, 100),
    inv.StockAdjusted("milk", -3, "spilt"),
    inv.ReservationHeld(
        "rsv_1",
        "ord_1",
        (Line("milk", 2, "Milk", _MILK),),
        Money("USD", 500),
        NOON + timedelta(seconds=120),
    ),
    inv.ReservationRejected(
        "rsv_2",
        "ord_2",
        InventoryRefusal(
            InventoryRefusalReason.INSUFFICIENT_STOCK, shortages=(Shortage("milk", 99, 95),)
        ),
    ),
    inv.ReservationCommitted("rsv_1", "ord_1"),
    inv.ReservationReleased("rsv_3", "ord_3", "cancelled", tombstone=True),
    inv.ReservationExpired("rsv_4", "ord_4"),
    inv.ReservationFulfilled("rsv_1"),
    _HELD_FOR_A_PAYER,
    inv.ReservationCommitted("rsv_6", "ord_6", InventoryOrigin.CHOREOGRAPHED, _HISTORY),
    inv.ReservationExpired("rsv_6", "ord_6", InventoryOrigin.CHOREOGRAPHED, _HISTORY),
    inv.ReservationReturned("rsv_1", "ord_1", (Demand("milk", 1),), "broken"),
)


# Parts of events: they are in the files of events, but are no events.
_PARTS_OF_EVENTS = (
    order_event_pb2.PlacedLine.DESCRIPTOR,
    order_event_pb2.CheckoutStepIds.DESCRIPTOR,
    inventory_event_pb2.CheckoutHistory.DESCRIPTOR,
    inventory_event_pb2.ReturnedUnits.DESCRIPTOR,
)


def as_encoded_today() -> dict[str, list[NewEvent]]:
    """Encode the examples with today's code, by service."""
    others = (ROOT / "tests" / "support").glob("*/event_examples.py")
    return {
        "payment": [of_payment(event) for event in _PAYMENT],
        "inventory": [of_inventory(event) for event in _INVENTORY],
        **{
            service: list(import_module(f"tests.support.{service}.event_examples").EXAMPLES)
            for service in (file.parent.name for file in others)
            if service in contracts()
        },
    }


def events_of_the_contract() -> dict[str, type[Message]]:
    """Return every event by its full name: the messages of the event files, without their parts."""
    generated = ROOT / "generated"
    files = [
        import_module(".".join(file.relative_to(generated).with_suffix("").parts))
        for name in contracts()
        for file in (generated / "tradepost" / name / "v1").glob(f"{name}_event_pb2.py")
    ]
    return {
        descriptor.full_name: getattr(file, name)
        for file in files
        for name, descriptor in file.DESCRIPTOR.message_types_by_name.items()
        if descriptor not in _PARTS_OF_EVENTS
    }
