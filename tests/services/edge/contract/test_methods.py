"""The public methods are those of the contracts that have an HTTP path, with what they state."""

import re

from scripts.suite.cluster import SERVICES
from scripts.tools.paths import ROOT
from services.edge.contract.contract import read
from services.edge.contract.methods import PublicMethod

METHODS = read().methods


def method(name: str) -> PublicMethod:
    """The public method of this name."""
    (found,) = [each for each in METHODS if each.name == name]
    return found


def test_every_method_with_a_path_is_public() -> None:
    """The edge serves exactly the paths that the contracts state."""
    stated = [
        path
        for file in (ROOT / "protos").rglob("*_service.proto")
        for path in re.findall(r'^ *http: "(.+)"$', file.read_text(), re.MULTILINE)
    ]

    assert sorted(f"{each.verb} {each.http_path}" for each in METHODS) == sorted(stated)


def test_a_method_that_changes_something_is_a_post_with_the_ids_of_its_path() -> None:
    """CancelOrder is posted to an order, waits for its end, and may be repeated."""
    cancel = method("CancelOrder")

    assert cancel.path == "/tradepost.order.v1.OrderService/CancelOrder"
    assert cancel.service_name == "tradepost.order.v1.OrderService"
    assert (cancel.verb, cancel.http_path) == ("POST", "/v1/orders/{order_id}:cancel")
    assert cancel.variables == ("order_id",)
    assert (cancel.safe, cancel.read, cancel.waits) == (True, False, True)
    assert cancel.rate_class == "WRITE"
    assert cancel.request.full_name == "tradepost.order.v1.CancelOrderRequest"


def test_a_read_of_the_catalogue_may_be_reused() -> None:
    """ListItems is a read whose answer may be reused for some seconds; GetOrder's may not."""
    items = method("ListItems")

    assert (items.verb, items.read, items.max_age_s) == ("GET", True, 5.0)
    assert items.roles == ("CUSTOMER", "CLERK", "OPERATOR")
    assert items.peers == ("order",)
    assert method("GetOrder").max_age_s == 0.0


def test_a_watch_streams_and_belongs_to_the_owner_of_its_order() -> None:
    """WatchOrder streams, and its answer names the customer to whom the order belongs."""
    watch = method("WatchOrder")

    assert watch.server_streaming
    assert (watch.rate_class, watch.owner) == ("WATCH", "order.customer_id")


def test_every_public_method_names_the_service_that_serves_it() -> None:
    """An admin method of the order service is served by instances of `order`, too."""
    assert {each.service for each in METHODS} == set(SERVICES)
    assert method("RetrySaga").service == "order"
