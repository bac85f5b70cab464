"""The bytes of every event of an order, as the version that introduced it wrote them."""

from datetime import UTC, datetime, timedelta

from services.chassis.domain.money import Money
from services.order.domain import events
from services.order.domain.events import (
    Cause,
    Coordination,
    Event,
    Line,
    Refusal,
    RefusalReason,
    Shortage,
)
from services.order.domain.steps import INVENTORY

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

# Events as version 0.1.0 wrote them. Events may get new fields, but these bytes keep their meaning.
GOLDEN: tuple[tuple[Event, str], ...] = (
    (
        events.OrderPlaced(
            "ann",
            (Line("milk", 2), Line("tea", 1)),
            "pm_visa",
            Money("USD", 300),
            Coordination.ORCHESTRATED,
            NOON + timedelta(seconds=30),
            timedelta(seconds=120),
            timedelta(days=7),
        ),
        (
            "0a03616e6e12080a046d696c6b100212070a0374656110011a07706d5f7669736122080a"
            "0355534410ac022801320608dec3d9ca063a02087842040880f524"
        ),
    ),
    (
        events.StockReserved(
            "rsv_1",
            (Line("milk", 2, "Milk", Money("USD", 100), Money("USD", 200)),),
            Money("USD", 200),
            NOON + timedelta(seconds=120),
        ),
        (
            "0a057273765f3112210a046d696c6b10021a044d696c6b22070a0355534410642a080a03"
            "55534410c8011a080a0355534410c801220608b8c4d9ca06"
        ),
    ),
    (
        events.PaymentAuthorized("pay_1", NOON + timedelta(days=7)),
        "0a057061795f31120608c0b8feca06",
    ),
    (
        events.CaptureRequested("pay_1", Coordination.CHOREOGRAPHED),
        "0a057061795f311002",
    ),
    (
        events.OrderConfirmed(Money("USD", 200)),
        "0a080a0355534410c801",
    ),
    (events.OrderConfirmed(Money("USD", 200), "pay_1"), "0a080a0355534410c80112057061795f31"),
    (
        events.CancelRequested("changed my mind"),
        "0a0f6368616e676564206d79206d696e64",
    ),
    (
        events.CancellationStarted(
            Cause.REFUSED,
            asked=frozenset({INVENTORY}),
            refusal=Refusal(
                RefusalReason.INSUFFICIENT_STOCK, {"a": "1", "b": "2"}, (Shortage("milk", 2, 1),)
            ),
            reason="",
        ),
        "0801121e080612060a016112013112060a01621201321a0a0a046d696c6b100218012801",
    ),
    (
        events.OrderRejected(),
        "",
    ),
    (
        events.OrderCancelled(),
        "",
    ),
    (
        events.FulfillmentStarted(),
        "",
    ),
    (
        events.OrderFulfilled(),
        "",
    ),
    (
        events.RefundStarted("too late"),
        "0a08746f6f206c617465",
    ),
    (
        events.OrderRefunded(Money("USD", 200)),
        "0a080a0355534410c801",
    ),
    (
        events.ReturnStarted(
            "ret_1",
            (Line("milk", 1, "Milk", Money("USD", 100), Money("USD", 100)),),
            Money("USD", 100),
            "broken",
        ),
        (
            "0a057265745f3112200a046d696c6b10011a044d696c6b22070a0355534410642a070a035553"
            "4410641a070a035553441064220662726f6b656e"
        ),
    ),
    (
        events.ReturnAmountReduced("ret_1", Money("USD", 60), 2),
        "0a057265745f3112070a03555344103c1802",
    ),
    (
        events.ReturnCompleted("ret_1", "rfd_1", Money("USD", 60)),
        "0a057265745f3112057266645f311a070a03555344103c",
    ),
    (
        events.OrderReturned(),
        "",
    ),
    (
        events.RefundObserved("rfd_2", Money("USD", 40)),
        "0a057266645f3212070a035553441028",
    ),
    (
        events.RefundObserved("rfd_3", Money("USD", 40), "person:olga", "goodwill"),
        ("0a057266645f3312070a0355534410281a0b706572736f6e3a6f6c67612208676f6f6477696c6c"),
    ),
    (
        events.ReviewRequested("refund", "REFUND_REFUSED"),
        "0a06726566756e64120e524546554e445f52454655534544",
    ),
    (
        events.StepRetried("refund", 2),
        "0a06726566756e641002",
    ),
    (
        events.StepRetried("refund", 3, "processor is back"),
        "0a06726566756e6410031a1170726f636573736f72206973206261636b",
    ),
)
