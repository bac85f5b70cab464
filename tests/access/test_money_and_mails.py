"""A customer sees the payment and the mails of their own orders, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from tradepost.notification.v1.notification_pb2 import NotificationState
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.payment.v1.payment_service_pb2 import GetPaymentRequest, RefundPaymentRequest
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from tests.support.chassis.rich_status import refusal
from tests.support.identity.known_callers import KnownCallers
from tests.support.identity.whole_suite import whole_suite
from tests.support.limits import WAIT_S
from tests.support.request_ids.scenarios import add_stock, new_id
from tests.support.store.databases import tamper
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
ALICE = CALLERS.person("alice", "CUSTOMER", peer="edge")
BOB = CALLERS.person("bob", "CUSTOMER", peer="edge")
CARL = CALLERS.person("carl", "CLERK")
OLGA = CALLERS.person("olga", "OPERATOR")
NO_PAYMENT = "pay_" + "0" * 32
POLL_S = 0.05
WAITING_ORDER = "ord_" + "0" * 32
# A mail, and its delivery, which was put off until the year 2200.
A_MAIL = (
    "INSERT INTO notification (notification_id, order_id, template, customer_id, recipient,"
    " subject, body, state, error, create_time) VALUES"
    f" ('ntf_0', '{WAITING_ORDER}', 1, 'alice', 'alice@example.org', 'Hello', '', 1, '', 0)"
)
PUT_OFF = (
    "INSERT INTO lease (subject, kind, owner, token, lease_expire_time, next_attempt_time,"
    " attempts, open_time, step, step_since_time, last_error, needs_review) VALUES"
    " ('ntf_0', 'notification', '', 1, 0, 7258118400000000, 3, 0, '', 0, '451 at 10.0.0.7', 0)"
)
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the databases are."""
    return tmp_path_factory.mktemp("suite")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(folder: Path) -> AsyncIterator[Suite]:
    """All four services, each of which knows its callers, with milk in stock."""
    async with whole_suite(folder, CALLERS) as suite:
        await add_stock(suite)
        yield suite


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def order(suite: Suite) -> order_pb2.Order:
    """Alice's confirmed order."""
    return await placed(suite)


async def placed(suite: Suite) -> order_pb2.Order:
    """Place an order for alice."""
    request = rpc.CreateOrderRequest(
        request_id=new_id(),
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku="milk", quantity=1)],
    )
    stub = OrderServiceStub(suite.channels["order"])
    return (await stub.CreateOrder(request, metadata=ALICE)).order


async def test_owners_and_staff_read_a_payment(suite: Suite, order: order_pb2.Order) -> None:
    """Alice and a clerk read the payment of alice's order."""
    stub = PaymentServiceStub(suite.channels["payment"])
    for metadata in (ALICE, CARL):
        request = GetPaymentRequest(payment_id=order.payment_id)
        read = await stub.GetPayment(request, metadata=metadata)
        assert read.payment.order_id == order.order_id


async def test_customers_do_not_learn_who_refunded(suite: Suite) -> None:
    """Olga refunds a cent of alice's order: carl reads her name, alice the cent only."""
    stub = PaymentServiceStub(suite.channels["payment"])
    payment_id = (await placed(suite)).payment_id
    cent = Money(currency_code="USD", minor_units=1)
    asked = RefundPaymentRequest(
        request_id=new_id(), payment_id=payment_id, amount=cent, reason="goodwill"
    )
    await stub.RefundPayment(asked, metadata=OLGA)

    told = []
    for metadata in (CARL, ALICE):
        request = GetPaymentRequest(payment_id=payment_id)
        (refund,) = (await stub.GetPayment(request, metadata=metadata)).payment.refunds
        told.append((refund.amount, refund.requester))

    assert told == [(cent, "person:olga"), (cent, "")]


async def test_somebody_elses_payment_is_as_one_that_does_not_exist(
    suite: Suite, order: order_pb2.Order
) -> None:
    """Bob can't tell alice's payment from one that was never made."""
    stub = PaymentServiceStub(suite.channels["payment"])
    told = []
    for payment_id in (order.payment_id, NO_PAYMENT):
        request = GetPaymentRequest(payment_id=payment_id)
        refused = await refusal(stub.GetPayment(request, metadata=BOB))
        told.append((refused.code, refused.reason, refused.message.replace(payment_id, "ID")))

    assert told[0] == told[1]
    assert told[0][:2] == (grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND")


async def test_customers_read_their_own_mails(suite: Suite, order: order_pb2.Order) -> None:
    """A list without a customer is the caller's own; another customer's is refused."""
    stub = NotificationServiceStub(suite.channels["notification"])
    own = ListNotificationsRequest(order_id=order.order_id)
    async with asyncio.timeout(WAIT_S):
        while not (mails := (await stub.ListNotifications(own, metadata=ALICE)).notifications):
            await CLOCK.sleep(POLL_S)

    assert {each.customer_id for each in mails} == {"alice"}
    assert not (await stub.ListNotifications(own, metadata=BOB)).notifications
    asked = ListNotificationsRequest(customer_id="alice")
    assert (await refusal(stub.ListNotifications(asked, metadata=BOB))).reason == "NOT_OWNER"


async def test_customers_do_not_learn_what_the_mail_server_said(suite: Suite, folder: Path) -> None:
    """Carl reads why alice's mail waits; alice reads only that it does."""
    for statement in (PUT_OFF, A_MAIL):
        tamper(f"sqlite:///{folder}/notification.db", statement)
    stub = NotificationServiceStub(suite.channels["notification"])
    told = []
    for metadata in (CARL, ALICE):
        asked = ListNotificationsRequest(order_id=WAITING_ORDER)
        (mail,) = (await stub.ListNotifications(asked, metadata=metadata)).notifications
        told.append((mail.state, mail.pending_delivery.last_error))

    pending = NotificationState.NOTIFICATION_STATE_PENDING
    assert told == [(pending, "451 at 10.0.0.7"), (pending, "")]
