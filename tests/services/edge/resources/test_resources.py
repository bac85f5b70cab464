"""The whole configuration of Envoy, compared with a file, and what it must not depend on."""

import pytest
from envoy.config.route.v3 import route_components_pb2, route_pb2
from google.protobuf import json_format

from discovery.registry.instance import Instance
from services.edge.contract.contract import Contract, read
from services.edge.resources.names import PUBLIC_ROUTES, TRANSLATING_CLUSTER
from services.edge.resources.resources import resources, services_of
from services.edge.settings import EdgeSettings
from tests.support.edge import golden


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read()


@pytest.mark.parametrize("file", golden.FILES)
def test_the_configuration_is_the_one_in_the_file(contract: Contract, file: str) -> None:
    """A change of Envoy's configuration is seen in review."""
    written = (golden.FOLDER / f"{file}.json").read_text()
    assert golden.configuration(contract, file) == written


def test_every_service_with_public_methods_has_a_cluster(contract: Contract) -> None:
    """Every service with a public method has a cluster and endpoints, registered or not."""
    found = resources({}, contract, EdgeSettings())
    assert set(services_of(contract)) == set(found.endpoints)
    assert set(services_of(contract)) < set(found.clusters)


def test_only_what_may_be_reused_goes_to_the_second_stage(contract: Contract) -> None:
    """A GET of a method with a `max_age` is asked for by the cache; all else goes to a service."""
    routes = resources({}, contract, EdgeSettings(cache_folder="/cache")).routes[PUBLIC_ROUTES]
    assert isinstance(routes, route_pb2.RouteConfiguration)
    sent_on = [each for each in routes.virtual_hosts[0].routes if each.HasField("route")]
    twice = {_path(each) for each in sent_on if each.route.cluster == TRANSLATING_CLUSTER}

    reusable = [method for method in contract.methods if method.max_age_s]
    assert twice == {path for each in reusable for path in (each.path, each.http_path)}
    assert {each.route.cluster for each in sent_on} == {TRANSLATING_CLUSTER, *services_of(contract)}


def _path(route: route_components_pb2.Route) -> str:
    return route.match.path or route.match.safe_regex.regex


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
