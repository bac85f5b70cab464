"""Cancels, fulfills and refunds orders, and retries their sagas."""

import asyncio

import grpc
from tradepost.order.admin.v1.saga_admin_service_pb2 import RetrySagaRequest, RetrySagaResponse
from tradepost.order.v1.order_service_pb2 import CancelOrderRequest, FulfillOrderRequest
from tradepost.payment.v1.payment_pb2 import RefundState
from tradepost.payment.v1.payment_service_pb2 import GetPaymentRequest, RefundPaymentRequest
from tradepost.type.v1.money_pb2 import Money

from services.console.actions.intention import Intention, InvalidFormError
from services.console.reading.asker import Asker
from services.console.reading.gathering import reason_of
from services.console.reading.stubs import Stubs
from services.console.views.order_states import state_word
from services.console.wire.texts import enum_word, money_text

# A form may choose so many sagas at once; each is one call.
MOST_SAGAS = 100


async def cancel(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Cancel an order."""
    answer = await asker.call(
        stubs.orders.CancelOrder,
        CancelOrderRequest(
            request_id=intention.request_id,
            order_id=intention.value("order_id"),
            reason=intention.reason,
        ),
    )
    return f"Cancelled: the order is {state_word(answer.order.state)}."


async def fulfill(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Ship an order."""
    answer = await asker.call(
        stubs.orders.FulfillOrder,
        FulfillOrderRequest(
            request_id=intention.request_id,
            order_id=intention.value("order_id"),
            reason=intention.reason,
        ),
    )
    return f"Fulfilled: the order is {state_word(answer.order.state)}."


async def refund(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Refund a payment, whole or in part."""
    payment_id = intention.value("payment_id")
    amount = None
    if intention.values.get("amount_minor", "").strip():
        read = await asker.call(stubs.payments.GetPayment, GetPaymentRequest(payment_id=payment_id))
        code = read.payment.captured_amount.currency_code or read.payment.amount.currency_code
        amount = Money(currency_code=code, minor_units=intention.whole("amount_minor"))
    answer = await asker.call(
        stubs.payments.RefundPayment,
        RefundPaymentRequest(
            request_id=intention.request_id,
            payment_id=payment_id,
            amount=amount,
            reason=intention.reason,
        ),
    )
    state = enum_word(RefundState, answer.refund.state, "REFUND_STATE_")
    return f"Refund of {money_text(answer.refund.amount)}: {state}."


async def retry(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Retry the saga of one order."""
    saga = (await _retry(stubs, asker, intention, intention.value("order_id"))).saga
    return f"Retried {saga.step or 'the saga'}, attempt {saga.attempt}."


async def retry_many(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Retry the sagas that were chosen; one that can't be retried stops no other."""
    order_ids = dict.fromkeys(intention.chosen)
    if not order_ids:
        raise InvalidFormError("Choose at least one saga.")
    if len(order_ids) > MOST_SAGAS:
        raise InvalidFormError(f"Choose at most {MOST_SAGAS} sagas at once.")
    outcomes = await asyncio.gather(
        *(_retry(stubs, asker, intention, each) for each in order_ids),
        return_exceptions=True,
    )
    refused = []
    for order_id, outcome in zip(order_ids, outcomes, strict=True):
        if isinstance(outcome, grpc.aio.AioRpcError):
            refused.append(f"{order_id}: {reason_of(outcome)}")
        elif isinstance(outcome, BaseException):
            raise outcome
    done = f"Retried {len(order_ids) - len(refused)} of {len(order_ids)}."
    return " ".join([done, *refused[:3]])


async def _retry(
    stubs: Stubs, asker: Asker, intention: Intention, order_id: str
) -> RetrySagaResponse:
    request = RetrySagaRequest(
        request_id=intention.of(order_id), order_id=order_id, reason=intention.reason
    )
    return await asker.call(stubs.sagas.RetrySaga, request)
