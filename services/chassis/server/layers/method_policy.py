"""Reads the policy that a served method's contract states."""

from tradepost.policy.v1 import policy_pb2
from tradepost.policy.v1.policy_pb2 import MethodPolicy

from services.chassis.identity.method_access import find_method
from services.chassis.server.layers.layer import ServedMethod


def policy_of(method: ServedMethod) -> MethodPolicy:
    """Return the policy; an empty one if the contract states none or isn't in the default pool."""
    found = find_method(method.path)
    return MethodPolicy() if found is None else found.GetOptions().Extensions[policy_pb2.policy]
