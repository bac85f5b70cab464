"""Reads the policy that a served method's contract states."""

from google.protobuf import descriptor_pool
from tradepost.policy.v1 import policy_pb2
from tradepost.policy.v1.policy_pb2 import MethodPolicy

from services.chassis.server.layers.layer import ServedMethod


def policy_of(method: ServedMethod) -> MethodPolicy:
    """Return the policy; an empty one if the contract states none or isn't in the default pool."""
    service_name, _, name = method.path.removeprefix("/").partition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        found = service.methods_by_name[name]
    except KeyError:
        return MethodPolicy()
    return found.GetOptions().Extensions[policy_pb2.policy]
