"""Validates requests that change something and converts them to commands.

All bad fields of a request are reported at once. A request becomes an `Intention`: its command,
and what identifies a repetition of it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import fingerprint
from services.chassis.request.validation import Check
from services.chassis.request.wire_values import from_money
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep, ReturnGoods
from services.order.domain.events import Coordination, Line

# Both name an item and a number of its units.
RequestedLine: TypeAlias = rpc.CreateOrderLine | rpc.ReturnOrderLine

MAX_LINES = 500
MAX_QUANTITY = 1_000_000

# The coordinations that an instance offers; the first applies when the caller does not choose.
OfferedCoordinations: TypeAlias = tuple[Coordination, ...]
ORCHESTRATED_ONLY: OfferedCoordinations = (Coordination.ORCHESTRATED,)


def create_order(
    request: rpc.CreateOrderRequest, offered: OfferedCoordinations = ORCHESTRATED_ONLY
) -> Intention[Place]:
    """Validate CreateOrder. Lines of one SKU are summed, also in the fingerprint.

    Raises InvalidRequestError, and NotImplementedYetError for a coordination that isn't offered.
    """
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    command = _place(check, request, offered)
    normal = rpc.CreateOrderRequest()
    normal.CopyFrom(request)
    del normal.lines[:]
    normal.lines.extend(
        rpc.CreateOrderLine(sku=line.sku, quantity=line.quantity) for line in command.lines
    )
    return Intention("CreateOrder", request_id, fingerprint(normal), command)


def validate_only(
    request: rpc.CreateOrderRequest, offered: OfferedCoordinations = ORCHESTRATED_ONLY
) -> Place:
    """Validate a CreateOrder that only asks for a quote; its request_id is ignored.

    Raises InvalidRequestError, and NotImplementedYetError for a coordination that isn't offered.
    """
    return _place(Check(), request, offered)


def cancel_order(request: rpc.CancelOrderRequest) -> Intention[Cancel]:
    """Validate CancelOrder. Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    reason = check.reason(request.reason)
    check.done()
    return Intention("CancelOrder", request_id, fingerprint(request), Cancel(reason), order_id)


def fulfill_order(request: rpc.FulfillOrderRequest) -> Intention[Fulfill]:
    """Validate FulfillOrder. Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    reason = check.reason(request.reason)
    check.done()
    return Intention("FulfillOrder", request_id, fingerprint(request), Fulfill(reason), order_id)


def return_order(request: rpc.ReturnOrderRequest) -> Intention[ReturnGoods]:
    """Validate ReturnOrder. Lines of one SKU are summed, also in the fingerprint.

    Raises InvalidRequestError.
    """
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    both = bool(request.return_all and request.lines)
    check.that(not both, "return_all", "must not be set together with lines")
    lines = _lines(check, request.lines) if request.lines or not request.return_all else ()
    reason = check.reason(request.reason)
    check.done()
    units = None if request.return_all else {line.sku: line.quantity for line in lines}
    normal = rpc.ReturnOrderRequest()
    normal.CopyFrom(request)
    del normal.lines[:]
    normal.lines.extend(rpc.ReturnOrderLine(sku=line.sku, quantity=line.quantity) for line in lines)
    command = ReturnGoods(units, reason)
    return Intention("ReturnOrder", request_id, fingerprint(normal), command, order_id)


def retry_saga(request: admin.RetrySagaRequest) -> Intention[RetryStep]:
    """Validate RetrySaga. Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    order_id = check.identifier("order_id", request.order_id, "ord")
    reason = check.reason(request.reason)
    check.done()
    return Intention("RetrySaga", request_id, fingerprint(request), RetryStep(reason), order_id)


def _place(check: Check, request: rpc.CreateOrderRequest, offered: OfferedCoordinations) -> Place:
    """Check every field except request_id, and raise for all bad fields."""
    check.visible_text("customer_id", request.customer_id)
    check.visible_text("payment_method", request.payment_method)
    lines = _lines(check, request.lines)
    expected_total = None
    if request.HasField("expected_total"):
        money = check.money("expected_total", request.expected_total, present=True)
        expected_total = from_money(money)
    check.enum("coordination", request.coordination, order_pb2.Coordination)
    check.done()
    coordination = Coordination(request.coordination) if request.coordination else offered[0]
    if coordination not in offered:
        raise NotImplementedYetError(f"coordination {coordination.name}")
    return Place(
        customer_id=request.customer_id,
        lines=lines,
        payment_method=request.payment_method,
        expected_total=expected_total,
        coordination=coordination,
    )


def _lines(check: Check, lines: Iterable[RequestedLine]) -> tuple[Line, ...]:
    """Return one line for each SKU, sorted. The sum of 500 lines of a million units fits int64."""
    asked = list(lines)
    check.that(1 <= len(asked) <= MAX_LINES, "lines", f"must have 1 to {MAX_LINES} entries")
    quantities: Counter[str] = Counter()
    for index, line in enumerate(asked[:MAX_LINES]):
        check.visible_text(f"lines[{index}].sku", line.sku)
        check.integer(f"lines[{index}].quantity", line.quantity, minimum=1, maximum=MAX_QUANTITY)
        quantities[line.sku] += line.quantity
    return tuple(Line(sku, quantities[sku]) for sku in sorted(quantities))
