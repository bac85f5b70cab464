"""A person's request_id counts for that person: nobody replays, probes or blocks another's."""

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from tradepost.payment.v1 import payment_service_pb2 as pay
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from tradepost.policy.v1.policy_pb2 import Role, policy

from tests.contracts.test_policies import METHODS
from tests.support.chassis.rich_status import read, refusal
from tests.support.identity.known_callers import KnownCallers, Metadata, service
from tests.support.identity.secure_suite import secure_suite
from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import (
    PRICE,
    SCENARIOS,
    Fields,
    Scenario,
    a_captured_payment,
    add_stock,
    new_id,
)
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
STORED = ("REPLAYED", "REQUEST_ID_REUSED")


def roles_of(scenario: Scenario) -> list[str]:
    """The roles that may call the scenario's method, the most powerful last."""
    (method,) = (
        method
        for method in METHODS
        if method.full_name.endswith(f".{scenario.method}".replace("/", "."))
    )
    access = method.GetOptions().Extensions[policy].access
    return [Role.Name(role).removeprefix("ROLE_") for role in access.roles]


BY_PEOPLE = [each for each in SCENARIOS if roles_of(each)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """Services that know their callers, with milk in stock."""
    async with secure_suite(tmp_path_factory.mktemp("suite"), CALLERS) as running:
        await add_stock(running)
        yield running


async def told(suite: Suite, scenario: Scenario, fields: Fields, metadata: Metadata) -> str:
    """Whether the answer betrays that the id was used before, or what else it is."""
    try:
        answer = await ask(suite, scenario, fields, metadata)
    except grpc.aio.AioRpcError as error:
        return read(error).reason
    return "REPLAYED" if answer.replayed else "DONE"


async def a_request(suite: Suite, scenario: Scenario) -> Fields:
    """A request as a person sends it: with a reason, where the method has one."""
    fields = await scenario.request(suite)
    has_reason = "reason" in suite.rpc(scenario.method).method.input_type.fields_by_name
    return {"reason": "asked for", **fields} if has_reason else fields


@pytest.mark.parametrize("scenario", BY_PEOPLE, ids=[each.method for each in BY_PEOPLE])
async def test_two_people_may_choose_the_same_id(suite: Suite, scenario: Scenario) -> None:
    """The second person's request is their own: neither replayed nor refused as a reuse."""
    role = roles_of(scenario)[-1]
    olga, otto = CALLERS.person("olga", role), CALLERS.person("otto", role)
    fields = await a_request(suite, scenario)
    other = {**fields, **scenario.other}

    assert await told(suite, scenario, fields, olga) == "DONE"
    assert await told(suite, scenario, fields, otto) not in STORED
    assert await told(suite, scenario, other, CALLERS.person("otis", role)) not in STORED

    assert await told(suite, scenario, fields, olga) == "REPLAYED"
    assert await told(suite, scenario, other, olga) == "REQUEST_ID_REUSED"


async def test_customers_do_not_meet_in_an_id(suite: Suite) -> None:
    """Bob gets an order of his own under alice's id, and she is replayed hers."""
    create = SCENARIOS[0]
    fields = {**await create.request(suite), "customer_id": ""}
    alice, bob = CALLERS.person("alice", "CUSTOMER"), CALLERS.person("bob", "CUSTOMER")

    first = await ask(suite, create, fields, alice)
    of_bob = await ask(suite, create, fields, bob)
    again = await ask(suite, create, fields, alice)

    assert [first.replayed, of_bob.replayed, again.replayed] == [False, False, True]
    assert first.response == again.response != of_bob.response


async def test_a_reuse_is_told_with_the_id_that_was_sent(suite: Suite) -> None:
    """The error names the caller's own id, not the one under which the service keeps it."""
    create = SCENARIOS[0]
    fields = await create.request(suite)
    carl = CALLERS.person("carl", "CLERK")
    await ask(suite, create, fields, carl)

    reused = await refusal(ask(suite, create, {**fields, **create.other}, carl))

    assert reused.facts["request_id"] == fields["request_id"]


async def test_a_person_can_not_take_the_step_of_an_order(suite: Suite) -> None:
    """A refund under the id of a saga's step, which can be computed, is another refund."""
    payments = PaymentServiceStub(suite.channels["payment"])
    payment = await a_captured_payment(suite)
    step = new_id()
    some = {**PRICE, "minor_units": 1}
    mine = pay.RefundPaymentRequest(request_id=step, amount=some, **payment)
    if "reason" in mine.DESCRIPTOR.fields_by_name:
        mine.MergeFrom(pay.RefundPaymentRequest(reason="goodwill"))
    rest = pay.RefundPaymentRequest(request_id=step, **payment)

    of_olga = await payments.RefundPayment(mine, metadata=CALLERS.person("olga", "OPERATOR"))
    of_order = await payments.RefundPayment(rest, metadata=service("order"))

    assert of_olga.refund.amount.minor_units == 1
    assert of_order.refund.amount.minor_units == PRICE["minor_units"] - 1
    assert of_order.refund.request_id == step
    assert of_olga.refund.request_id != step
    again = await payments.RefundPayment(mine, metadata=CALLERS.person("olga", "OPERATOR"))
    assert again.refund.refund_id == of_olga.refund.refund_id


async def test_services_share_their_ids(suite: Suite) -> None:
    """A step that another instance, or another service, repeats has one effect."""
    payments = PaymentServiceStub(suite.channels["payment"])
    payment = await a_captured_payment(suite)
    refund = pay.RefundPaymentRequest(request_id=new_id(), **payment)

    first = await payments.RefundPayment(refund, metadata=service("order"))
    again = await payments.RefundPayment(refund, metadata=service("order"))

    assert again.refund.refund_id == first.refund.refund_id
    assert len(again.payment.refunds) == 1
