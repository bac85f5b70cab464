"""Who may call a method: a pure decision from the contract and the caller."""

import pytest

from services.chassis.identity.caller import UNKNOWN, Caller
from services.chassis.identity.errors import (
    ClosedMethodError,
    PeerNotAllowedError,
    RoleNotAllowedError,
    TokenRequiredError,
)
from services.chassis.identity.method_access import (
    MethodAccess,
    access_of,
    is_customer_only,
    refusal,
)

BOTH = MethodAccess(roles=frozenset({"CLERK", "CUSTOMER"}), peers=frozenset({"order"}))
PEERS_ONLY = MethodAccess(peers=frozenset({"order"}))
ROLES_ONLY = MethodAccess(roles=frozenset({"OPERATOR"}))
CLOSED = MethodAccess()

ALICE = Caller("alice", frozenset({"CUSTOMER"}))
CLERK = Caller("carl", frozenset({"CLERK", "CUSTOMER"}), service="edge")
ORDER = Caller(service="order")
PAYMENT = Caller(service="payment")


@pytest.mark.parametrize(
    ("access", "caller"), [(BOTH, ALICE), (BOTH, CLERK), (BOTH, ORDER), (PEERS_ONLY, ORDER)]
)
def test_a_caller_that_the_contract_names_may_call(access: MethodAccess, caller: Caller) -> None:
    """One of the roles is enough for a person, and the name for a service."""
    assert refusal(access, caller) is None


@pytest.mark.parametrize(
    ("access", "caller", "refused"),
    [
        (BOTH, UNKNOWN, TokenRequiredError),
        (BOTH, PAYMENT, TokenRequiredError),
        (PEERS_ONLY, PAYMENT, PeerNotAllowedError),
        (PEERS_ONLY, UNKNOWN, PeerNotAllowedError),
        (PEERS_ONLY, ALICE, RoleNotAllowedError),
        (ROLES_ONLY, CLERK, RoleNotAllowedError),
        (ROLES_ONLY, Caller("eve"), RoleNotAllowedError),
        (CLOSED, CLERK, ClosedMethodError),
        (CLOSED, ORDER, ClosedMethodError),
    ],
)
def test_everybody_else_is_refused(
    access: MethodAccess, caller: Caller, refused: type[Exception]
) -> None:
    """A method without access is closed, and a token is asked for where one would help."""
    assert type(refusal(access, caller)) is refused


def test_a_token_decides_also_when_the_peer_could_call() -> None:
    """A service that passes on a customer's token may do what the customer may, and no more."""
    through_order = Caller("alice", frozenset({"CUSTOMER"}), service="order")

    assert isinstance(refusal(PEERS_ONLY, through_order), RoleNotAllowedError)


def test_who_has_another_role_is_not_limited_to_their_own() -> None:
    """A clerk who is a customer too sees what clerks see; without the clerk's role, their own."""
    assert is_customer_only(BOTH, ALICE)
    assert not is_customer_only(BOTH, CLERK)
    assert not is_customer_only(BOTH, ORDER)
    for_customers = MethodAccess(roles=frozenset({"CUSTOMER"}))
    assert is_customer_only(for_customers, CLERK)


def test_a_method_that_no_contract_describes_is_closed() -> None:
    """Unknown services and methods, and those that state nothing, are for nobody."""
    assert access_of("/tradepost.order.v1.OrderService/Nothing") == CLOSED
    assert access_of("/no.such.Service/Method") == CLOSED
    assert access_of("not a path") == CLOSED
