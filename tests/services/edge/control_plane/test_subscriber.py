"""What a client of ADS is sent, and when."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from services.edge.control_plane.snapshot import CLUSTERS, ENDPOINTS, Snapshot, snapshot
from services.edge.control_plane.subscriber import Subscriber
from services.edge.resources.resources import Resources


def test_a_wildcard_gets_everything() -> None:
    """A client that names no cluster gets all of them."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=CLUSTERS))
    assert _names(_due(subscriber, _snapshot())) == [["order", "payment"]]


def test_only_named_endpoints_are_sent() -> None:
    """A client that names a cluster's endpoints gets these alone."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=ENDPOINTS, resource_names=["order"]))
    assert _names(_due(subscriber, _snapshot())) == [["order"]]


def test_an_accepted_version_is_not_sent_again() -> None:
    """Whoever accepted a version is sent nothing until there is another one."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=CLUSTERS))
    (sent,) = _due(subscriber, _snapshot())
    assert subscriber.accept(_answer(sent)) is None
    assert _due(subscriber, _snapshot()) == []
    assert _names(_due(subscriber, _snapshot("order"))) == [["order"]]


def test_a_rejection_is_told_with_its_reason_and_not_repeated() -> None:
    """A rejected version is reported with its reason, and that version isn't sent again."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=CLUSTERS))
    (sent,) = _due(subscriber, _snapshot())
    rejection = subscriber.accept(_answer(sent, error_detail=Status(message="no such filter")))
    assert rejection is not None
    assert (rejection.version, rejection.reason) == (sent.version_info, "no such filter")
    assert _due(subscriber, _snapshot()) == []


def test_an_answer_to_an_older_response_counts_for_nothing() -> None:
    """Of several responses under way only the answer to the last one counts."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=CLUSTERS))
    (first,) = _due(subscriber, _snapshot())
    _due(subscriber, _snapshot("order"))
    assert subscriber.accept(_answer(first, error_detail=Status(message="late"))) is None


def test_new_clusters_bring_their_endpoints_again() -> None:
    """After new clusters the endpoints are sent again: Envoy waits for them."""
    subscriber = Subscriber()
    subscriber.accept(DiscoveryRequest(type_url=CLUSTERS))
    subscriber.accept(DiscoveryRequest(type_url=ENDPOINTS, resource_names=["order"]))
    assert len(_due(subscriber, _snapshot())) == 2
    assert _names(_due(subscriber, _snapshot("order"))) == [["order"], ["order"]]


def _snapshot(*services: str) -> Snapshot:
    names = services or ("order", "payment")
    return snapshot(
        Resources(
            listeners={},
            routes={},
            clusters={name: Cluster(name=name) for name in names},
            endpoints={name: ClusterLoadAssignment(cluster_name=name) for name in names},
        )
    )


def _due(subscriber: Subscriber, current: Snapshot) -> list[DiscoveryResponse]:
    return list(subscriber.due(current))


def _names(responses: list[DiscoveryResponse]) -> list[list[str]]:
    return [
        [
            Cluster.FromString(each.value).name
            if response.type_url == CLUSTERS
            else ClusterLoadAssignment.FromString(each.value).cluster_name
            for each in response.resources
        ]
        for response in responses
    ]


def _answer(response: DiscoveryResponse, **fields: Status) -> DiscoveryRequest:
    return DiscoveryRequest(
        type_url=response.type_url,
        version_info=response.version_info,
        response_nonce=response.nonce,
        **fields,
    )
