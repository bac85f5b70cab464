"""How long a call through the edge may take and when it is repeated, from the method's contract."""

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.contract.methods import PublicMethod
from services.edge.resources.packing import packed, seconds
from services.edge.settings import EdgeSettings

_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"
# Without knowing whether an attempt had an effect, only one that was surely not sent is repeated.
_NEVER_SENT = "connect-failure,refused-stream"
_SAFE = f"{_NEVER_SENT},reset,unavailable"


def time_limit_s(method: PublicMethod, settings: EdgeSettings) -> float:
    """Return the time limit of a call in seconds; 0: none, because it is a stream."""
    if method.server_streaming:
        return 0
    return settings.waiting_timeout_s if method.waits else settings.timeout_s


def to_service(method: PublicMethod, settings: EdgeSettings) -> route_components_pb2.RouteAction:
    """Return the route of a gRPC call to the service that serves the method.

    A caller's own deadline (`grpc-timeout`) holds if it is the shorter one.
    """
    limit = seconds(time_limit_s(method, settings))
    return route_components_pb2.RouteAction(
        cluster=method.service,
        timeout=seconds(0),
        max_stream_duration=route_components_pb2.RouteAction.MaxStreamDuration(
            max_stream_duration=limit, grpc_timeout_header_max=limit
        ),
        idle_timeout=seconds(settings.stream_idle_s),
        retry_policy=_retry_policy(method),
    )


def deadline_header(
    method: PublicMethod, settings: EdgeSettings
) -> list[base_pb2.HeaderValueOption]:
    """Return the header that tells a service the time limit of a call whose caller sets none.

    Services stop working, or answer with what they have, shortly before the deadline.
    """
    limit_s = time_limit_s(method, settings)
    if not limit_s:
        return []
    header = base_pb2.HeaderValue(key="grpc-timeout", value=f"{round(limit_s * 1000)}m")
    return [
        base_pb2.HeaderValueOption(
            header=header, append_action=base_pb2.HeaderValueOption.ADD_IF_ABSENT
        )
    ]


def _retry_policy(method: PublicMethod) -> route_components_pb2.RetryPolicy:
    """Two more attempts, each on another instance; a stream is only repeated before it began."""
    other_host = route_components_pb2.RetryPolicy.RetryHostPredicate(
        name=_PREVIOUS_HOSTS,
        typed_config=packed(previous_hosts_pb2.PreviousHostsPredicate()),
    )
    return route_components_pb2.RetryPolicy(
        retry_on=_SAFE if method.safe else _NEVER_SENT,
        num_retries=UInt32Value(value=2),
        retry_host_predicate=[other_host],
        host_selection_retry_max_attempts=5,
        retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(
            base_interval=seconds(0.05), max_interval=seconds(1)
        ),
    )
