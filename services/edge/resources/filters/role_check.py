"""Refuses callers without a role of the method, where the answer can come from the cache.

All other answers come from a service, which checks the roles itself.
"""

from collections.abc import Mapping

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.type.matcher.v3 import metadata_pb2, string_pb2, value_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.contract.methods import PublicMethod
from services.edge.resources.filters.token_check import VERIFIED_CLAIMS
from services.edge.resources.packing import packed

_NAME = "envoy.filters.http.rbac"


def role_check() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; without rules of the route it lets everybody pass."""
    return http_connection_manager_pb2.HttpFilter(
        name=_NAME, typed_config=packed(filter_pb2.RBAC())
    )


def roles_of(method: PublicMethod) -> Mapping[str, AnyMessage]:
    """Return what the method's route says: one of its roles must be in the verified token."""
    policy = rbac_pb2.Policy(
        permissions=[rbac_pb2.Permission(any=True)],
        principals=[rbac_pb2.Principal(metadata=_has_role(role)) for role in method.roles],
    )
    rules = rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW, policies={"roles": policy})
    return {_NAME: packed(filter_pb2.RBACPerRoute(rbac=filter_pb2.RBAC(rules=rules)))}


def _has_role(role: str) -> metadata_pb2.MetadataMatcher:
    namespace, payload = VERIFIED_CLAIMS
    segment = metadata_pb2.MetadataMatcher.PathSegment
    return metadata_pb2.MetadataMatcher(
        filter=namespace,
        path=[segment(key=payload), segment(key="roles")],
        value=value_pb2.ValueMatcher(
            list_match=value_pb2.ListMatcher(
                one_of=value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=role))
            )
        ),
    )
