"""A refund that the processor never takes is paid in another way, and an operator records that."""

import uuid
from itertools import count
from typing import Any

import grpc
import pytest
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.ledger_pb2 import LedgerAccount
from tradepost.payment.v1.payment_pb2 import Payment, RefundState
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from services.chassis.saga.model import failure_reason
from services.order.domain.events import Coordination
from services.order.domain.reviews import REFUND_REFUSED
from services.order.domain.state import Order, OrderState
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_books import wrong_equations
from tests.support.simulation.simulated_order import order_request
from tests.support.simulation.simulated_suite import SimulatedSuite
from tests.support.simulation.simulation_setup import open_simulated_suite
from tests.support.store.databases import Databases

SKU = "milk"
TRANSFER = "bank transfer 4711"
_NUMBERS = count(1)


class Operator:
    """Somebody who looks at the payment of an order, and records what was paid outside."""

    def __init__(self, suite: SimulatedSuite, order_id: str) -> None:
        self._order_id = order_id
        self._payments: Any = PaymentServiceStub(channel_to(suite.payment))

    async def payment(self) -> Payment:
        """Return the payment of the order."""
        listed = await self._payments.ListPayments(rpc.ListPaymentsRequest(order_id=self._order_id))
        (payment,) = listed.payments
        return payment

    async def settle(self, refund_id: str) -> rpc.RefundPaymentResponse:
        """Record that a refused refund was paid by bank transfer."""
        request = rpc.RefundPaymentRequest(
            request_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"outside {next(_NUMBERS)}")),
            payment_id=(await self.payment()).payment_id,
            refused_refund_id=refund_id,
            reason=TRANSFER,
        )
        answer: rpc.RefundPaymentResponse = await self._payments.RefundPayment(request)
        return answer

    async def paid_outside(self) -> dict[str, int]:
        """Return the reasons and amounts that the ledger shows as paid outside."""
        listed = await self._payments.ListLedgerEntries(rpc.ListLedgerEntriesRequest())
        return {
            entry.reason: entry.amount.minor_units
            for entry in listed.entries
            if entry.account == LedgerAccount.LEDGER_ACCOUNT_PAID_OUTSIDE
        }


async def refused(suite: SimulatedSuite, *, returned: bool, units: int = 2) -> Order:
    """Return an order whose refund, of everything or of a return, the processor refuses."""
    request = order_request(
        Coordination.ORCHESTRATED, sku=SKU, quantity=2, method="pm_refund_declined"
    )
    order_id = await suite.orders.place(request)
    await suite.run_until_idle()
    if returned:
        await suite.orders.fulfill(order_id)
        await suite.run_until_idle()
        await suite.orders.take_back(order_id, {SKU: units})
    else:
        await suite.orders.cancel(order_id)
    await suite.run_until_idle(until_review=True)
    order = await suite.orders.order(order_id)
    assert order.review is not None
    assert order.review.reason == REFUND_REFUSED
    return order


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize(
    ("returned", "end"), [(False, OrderState.REFUNDED), (True, OrderState.RETURNED)]
)
async def test_what_was_paid_outside_ends_the_order(
    databases: Databases, end: OrderState, retries: int, *, returned: bool
) -> None:
    """The order goes on by itself, and the books tell the transfer from the processor's refunds.

    So it does where RetrySaga has asked in vain for another refund since.
    """
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await refused(suite, returned=returned)
        for _ in range(retries):
            await suite.orders.retry(order.order_id)
            await suite.run_until_idle(until_review=True)
        operator = Operator(suite, order.order_id)
        first = (await operator.payment()).refunds[0]

        answer = await operator.settle(first.refund_id)
        await suite.run_until_idle()

        assert answer.refund.state == RefundState.REFUND_STATE_SUCCEEDED
        order = await suite.orders.order(order.order_id)
        assert (order.state, order.review) == (end, None)
        assert order.refunded == order.total
        assert order.total is not None
        assert await operator.paid_outside() == {TRANSFER: order.total.minor_units}
        assert await wrong_equations(suite) == []


async def test_a_retry_after_the_record_asks_for_nothing_more(databases: Databases) -> None:
    """One of two units came back and was paid outside; RetrySaga can't make the other be paid."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await refused(suite, returned=True, units=1)
        operator = Operator(suite, order.order_id)
        (refund,) = (await operator.payment()).refunds

        await operator.settle(refund.refund_id)
        await suite.orders.retry(order.order_id)
        await suite.run_until_idle()

        order = await suite.orders.order(order.order_id)
        assert (order.state, order.review) == (OrderState.FULFILLED, None)
        assert order.refunded is not None
        assert order.refunded.minor_units == refund.amount.minor_units
        assert len((await operator.payment()).refunds) == 1
        assert await wrong_equations(suite) == []


async def test_only_a_refused_refund_can_have_been_paid_outside(databases: Databases) -> None:
    """One that succeeded, or was recorded already, is refused by name; nothing is paid twice."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await refused(suite, returned=False)
        await suite.orders.retry(order.order_id)
        await suite.run_until_idle(until_review=True)
        operator = Operator(suite, order.order_id)
        first, second = (await operator.payment()).refunds
        await operator.settle(first.refund_id)

        assert await reason_of(operator, first.refund_id) == "REFUND_NOT_REFUSED"
        assert await reason_of(operator, "ref_" + "0" * 32) == "REFUND_NOT_REFUSED"
        assert await reason_of(operator, second.refund_id) == "AMOUNT_EXCEEDS_REFUNDABLE"
        payment = await operator.payment()
        assert payment.refunded_amount == payment.captured_amount


async def reason_of(operator: Operator, refund_id: str) -> str | None:
    """Return why a refund can't be recorded as paid outside."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await operator.settle(refund_id)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    return failure_reason(caught.value)
