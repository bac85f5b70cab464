"""What callers ask for, checked and put into the words of the domain.

Every bad field of a request is named at once. A request that changes something becomes an
`Intention`: its command, and what it takes to recognise a repetition.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.idempotency import fingerprint
from services.chassis.request.intention import Intention
from services.chassis.request.validation import Check
from services.chassis.request.wire_values import from_money
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep
from services.order.domain.events import Coordination, Line

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
MAX_REASON_CHARACTERS = 200

_VISIBLE = re.compile(r"[!-~]{1,64}")

# Which coordinations an instance serves; the first is for callers who don't choose.
OfferedCoordinations: TypeAlias = tuple[Coordination, ...]
ORCHESTRATED_ONLY: OfferedCoordinations = (Coordination.ORCHESTRATED,)

C = TypeVar("C")


def create_order(
    request: rpc.CreateOrderRequest, served: OfferedCoordinations = ORCHESTRATED_ONLY
) -> Intention[Place]:
    """Lines of one SKU are summed, also in the fingerprint.

    Raises InvalidRequestError, and NotImplementedYetError for a coordination that isn't served.
    """
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = _place(check, request, served)
    normal = rpc.CreateOrderRequest()
    normal.CopyFrom(request)
    del normal.lines[:]
    normal.lines.extend(
        rpc.CreateOrderLine(sku=line.sku, quantity=line.quantity) for line in command.lines
    )
    return Intention("CreateOrder", request_id, fingerprint(normal), command)


def validate_only(
    request: rpc.CreateOrderRequest, served: OfferedCoordinations = ORCHESTRATED_ONLY
) -> Place:
    """The command of a request that shall not be carried out; its request_id is not looked at.

    Raises InvalidRequestError, and NotImplementedYetError for a coordination that isn't served.
    """
    return _place(Check(), request, served)


def cancel_order(request: rpc.CancelOrderRequest) -> Intention[Cancel]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    reason = check.text("reason", request.reason, max_len=MAX_REASON_CHARACTERS, required=False)
    check.done()
    return Intention("CancelOrder", request_id, fingerprint(request), Cancel(reason), order_id)


def fulfill_order(request: rpc.FulfillOrderRequest) -> Intention[Fulfill]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    check.done()
    return Intention("FulfillOrder", request_id, fingerprint(request), Fulfill(), order_id)


def retry_saga(request: admin.RetrySagaRequest) -> Intention[RetryStep]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    check.done()
    return Intention("RetrySaga", request_id, fingerprint(request), RetryStep(), order_id)


def _place(check: Check, request: rpc.CreateOrderRequest, served: OfferedCoordinations) -> Place:
    """Checks everything but the request_id, then raises all that is bad."""
    _check_visible(check, "customer_id", request.customer_id)
    _check_visible(check, "payment_method", request.payment_method)
    lines = _lines(check, request.lines)
    expected_total = None
    if request.HasField("expected_total"):
        money = check.money("expected_total", request.expected_total, present=True)
        expected_total = from_money(money)
    check.enum("coordination", request.coordination, order_pb2.Coordination)
    check.done()
    coordination = Coordination(request.coordination) if request.coordination else served[0]
    if coordination not in served:
        raise NotImplementedYetError(f"coordination {coordination.name}")
    return Place(
        customer_id=request.customer_id,
        lines=lines,
        payment_method=request.payment_method,
        expected_total=expected_total,
        coordination=coordination,
    )


def _lines(check: Check, lines: Iterable[rpc.CreateOrderLine]) -> tuple[Line, ...]:
    """One line a SKU, sorted; 500 lines of a million units stay far below 64 bits."""
    asked = list(lines)
    check.that(1 <= len(asked) <= MAX_LINES, "lines", f"must have 1 to {MAX_LINES} entries")
    quantities: Counter[str] = Counter()
    for index, line in enumerate(asked[:MAX_LINES]):
        _check_visible(check, f"lines[{index}].sku", line.sku)
        check.integer(f"lines[{index}].quantity", line.quantity, minimum=1, maximum=MAX_QUANTITY)
        quantities[line.sku] += line.quantity
    return tuple(Line(sku, quantities[sku]) for sku in sorted(quantities))


def _check_visible(check: Check, field: str, value: str) -> None:
    check.that(
        _VISIBLE.fullmatch(value) is not None, field, "must be 1 to 64 visible ASCII characters"
    )
