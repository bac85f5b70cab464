"""The whole configuration of Envoy, compared with a file, and what it must not depend on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from discovery.registry.instance import Instance
from services.edge.contract.contract import Contract, read
from services.edge.resources.resources import Resources, resources, services_of
from services.edge.settings import EdgeSettings

GOLDEN = Path(__file__).parent / "golden"
# A read, a change that waits, and a stream.
METHODS = ("GetOrder", "CreateOrder", "WatchOrder")
KINDS = ("listeners", "routes", "clusters", "endpoints")


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read()


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_is_the_one_in_the_file(contract: Contract, kind: str) -> None:
    """A change of Envoy's configuration is seen in review.

    `TRADEPOST_WRITE_GOLDEN=yes` writes the files anew.
    """
    written = _text(getattr(_small(contract), kind))
    file = GOLDEN / f"{kind}.json"
    if os.environ.get("TRADEPOST_WRITE_GOLDEN") == "yes":
        file.write_text(written)
    assert written == file.read_text()


def test_every_service_with_public_methods_has_a_cluster(contract: Contract) -> None:
    """Every service with a public method has a cluster and endpoints, registered or not."""
    found = resources({}, contract, EdgeSettings())
    assert set(services_of(contract)) == set(found.endpoints)
    assert set(services_of(contract)) < set(found.clusters)


def test_an_instance_without_weight_gets_no_calls(contract: Contract) -> None:
    """Instances without weight, and those whose address is a name, are no endpoints."""
    instances = (
        Instance("order-1", "order", "10.0.0.1", 50051),
        Instance("order-2", "order", "10.0.0.2", 50051, weight=0),
        Instance("order-3", "order", "order.internal", 50051),
        Instance("order-4", "order", "unix:/run/order.sock", 0),
        Instance("order-5", "order", "::1", 50051, weight=3),
    )
    found = resources({"order": instances}, contract, EdgeSettings()).endpoints["order"]
    (locality,) = json_format.MessageToDict(found)["endpoints"]
    addresses = [each["endpoint"]["address"] for each in locality["lbEndpoints"]]
    assert addresses == [
        {"socketAddress": {"address": "10.0.0.1", "portValue": 50051}},
        {"pipe": {"path": "/run/order.sock"}},
        {"socketAddress": {"address": "::1", "portValue": 50051}},
    ]
    assert [each["loadBalancingWeight"] for each in locality["lbEndpoints"]] == [1, 1, 3]


def _small(contract: Contract) -> Resources:
    """The configuration for three methods and one instance."""
    methods = tuple(method for method in contract.methods if method.name in METHODS)
    small = Contract(methods, b"descriptors")
    order = Instance("order-1", "order", "10.0.0.1", 50051)
    return resources({"order": (order,)}, small, EdgeSettings())


def _text(named: Mapping[str, Message]) -> str:
    found = [
        json_format.MessageToDict(each, preserving_proto_field_name=True)
        for each in named.values()
    ]
    return f"{json.dumps(_without_replies(found), indent=2, sort_keys=True)}\n"


def _without_replies(value: Any) -> Any:
    """Leave out the edge's own errors, a mapper for each with each protocol: calls test them."""
    match value:
        case dict():
            return {
                name: _without_replies(each)
                for name, each in value.items()
                if name != "local_reply_config"
            }
        case list():
            return [_without_replies(each) for each in value]
    return value
