"""Which program may connect to which service, as the contracts say."""

from scripts.suite.cluster import SERVICES
from scripts.suite.secure.call_graph import (
    CONSOLE,
    EDGE,
    OPERATOR,
    STOREFRONT,
    WEB_APPLICATIONS,
    allowed_calls,
    methods,
    policy_of,
)

CALLS = allowed_calls(SERVICES)


def test_a_peer_of_an_rpc_may_call_its_service() -> None:
    """The order service reserves stock and authorizes payments, as these RPCs' access says."""
    assert {("order", "inventory"), ("order", "payment")} <= CALLS


def test_every_pair_follows_from_an_rpc() -> None:
    """A service is called by its RPCs' peers, the edge, web applications and operators alone."""
    peers = {peer for method in methods() for peer in policy_of(method).access.peers}

    assert {caller for caller, _ in CALLS} == {*peers, EDGE, *WEB_APPLICATIONS, OPERATOR}
    assert {called for _, called in CALLS} == {*SERVICES, *WEB_APPLICATIONS}


def test_a_service_that_publishes_nothing_is_out_of_people_s_reach() -> None:
    """Edge and storefront call the services whose RPCs have an HTTP path, and no others."""
    published = {
        method.containing_service.full_name.split(".")[1]
        for method in methods()
        if policy_of(method).http
    }

    for caller in (EDGE, STOREFRONT):
        called = {called for each, called in CALLS if each == caller}
        assert called - set(WEB_APPLICATIONS) == published & set(SERVICES)


def test_only_the_edge_calls_a_web_application() -> None:
    """Browsers reach them through the edge, and no service asks them for anything."""
    assert {(caller, called) for caller, called in CALLS if called in WEB_APPLICATIONS} == {
        (EDGE, STOREFRONT),
        (EDGE, CONSOLE),
    }


def test_the_console_calls_every_service() -> None:
    """Operators see the consumers and dead letters of each."""
    assert {called for caller, called in CALLS if caller == CONSOLE} == set(SERVICES)


def test_nobody_calls_the_edge() -> None:
    """The edge and an operator's program call others and are called by no service."""
    assert not {(caller, called) for caller, called in CALLS if called in {EDGE, OPERATOR}}
