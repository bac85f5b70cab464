"""Which program may connect to which service, as the contracts say."""

from scripts.suite.cluster import SERVICES
from scripts.suite.secure.call_graph import EDGE, OPERATOR, allowed_calls, methods, policy_of

CALLS = allowed_calls(SERVICES)


def test_a_peer_of_an_rpc_may_call_its_service() -> None:
    """The order service reserves stock and authorizes payments, as these RPCs' access says."""
    assert {("order", "inventory"), ("order", "payment")} <= CALLS


def test_every_pair_follows_from_an_rpc() -> None:
    """Nobody may call a service except its RPCs' peers, the edge and an operator's program."""
    peers = {peer for method in methods() for peer in policy_of(method).access.peers}

    assert {caller for caller, _ in CALLS} == {*peers, EDGE, OPERATOR}
    assert {called for _, called in CALLS} == set(SERVICES)


def test_a_service_that_publishes_nothing_is_out_of_the_edge_s_reach() -> None:
    """The edge calls the services whose RPCs have an HTTP path, and no others."""
    published = {
        method.containing_service.full_name.split(".")[1]
        for method in methods()
        if policy_of(method).http
    }

    assert {called for caller, called in CALLS if caller == EDGE} == published & set(SERVICES)


def test_nobody_calls_the_edge() -> None:
    """The edge and an operator's program call others and are called by no service."""
    assert not {(caller, called) for caller, called in CALLS if called in {EDGE, OPERATOR}}
