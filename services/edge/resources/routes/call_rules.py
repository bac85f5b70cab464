"""How long a call through the edge may take and when it is repeated, from the method's contract."""

from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.contract.methods import PublicMethod
from services.edge.resources.packing import packed, seconds
from services.edge.settings import EdgeSettings

# Streams end because they are done, or idle; this is for those that do neither.
STREAM_LIMIT_S = 86_400.0
# How often a retry picks again when it got an instance that was asked before. A dead one has the
# fewest calls in flight, so of two instances it is picked in three of four cases.
_PICKS = 20
_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"
# Without knowing whether an attempt had an effect, only one that was surely not sent is repeated.
_NEVER_SENT = "connect-failure,refused-stream"
_SAFE = f"{_NEVER_SENT},reset,unavailable"


def time_limit_s(method: PublicMethod, settings: EdgeSettings) -> float:
    """Return the time limit of a call in seconds."""
    if method.server_streaming:
        return STREAM_LIMIT_S
    return settings.waiting_timeout_s if method.waits else settings.timeout_s


def to_service(method: PublicMethod, settings: EdgeSettings) -> route_components_pb2.RouteAction:
    """Return the route of a gRPC call to the service that serves the method.

    A caller's own deadline (`grpc-timeout`) holds if it is the shorter one. The service is told the
    time limit that holds: services stop working, or answer with what they have, shortly before the
    deadline. They never get the caller's own words, which a server may be unable to read
    (`filters/header_rules.py` says what follows from that).
    """
    limit = seconds(time_limit_s(method, settings))
    return route_components_pb2.RouteAction(
        cluster=method.service,
        timeout=limit,
        # Deprecated for `max_stream_duration`, with which Envoy passes on what the caller wrote.
        max_grpc_timeout=limit,
        idle_timeout=seconds(settings.stream_idle_s),
        retry_policy=repeated(_SAFE if method.safe else _NEVER_SENT),
    )


def repeated(retry_on: str) -> route_components_pb2.RetryPolicy:
    """Two more attempts, each on another instance; a stream is only repeated before it began."""
    other_host = route_components_pb2.RetryPolicy.RetryHostPredicate(
        name=_PREVIOUS_HOSTS,
        typed_config=packed(previous_hosts_pb2.PreviousHostsPredicate()),
    )
    return route_components_pb2.RetryPolicy(
        retry_on=retry_on,
        num_retries=UInt32Value(value=2),
        retry_host_predicate=[other_host],
        host_selection_retry_max_attempts=_PICKS,
        retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(
            base_interval=seconds(0.05), max_interval=seconds(1)
        ),
    )
