"""Decides who may call a method, from what its contract says. A method without access is closed."""

from dataclasses import dataclass

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from tradepost.policy.v1 import policy_pb2

from services.chassis.identity.caller import Caller
from services.chassis.identity.errors import (
    ClosedMethodError,
    PeerNotAllowedError,
    RoleNotAllowedError,
    TokenRequiredError,
)

CUSTOMER = "CUSTOMER"


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """Who may call a method: people by their roles, services by the names of their registration.

    `owner` is the path of the field that names the customer to whom the resource belongs, in the
    request or else in the response; "" if it belongs to nobody.
    """

    roles: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()
    owner: str = ""


def access_of(path: str) -> MethodAccess:
    """Return what the contract of "/package.Service/Method" says; an unknown method is closed."""
    method = find_method(path)
    if method is None:
        return MethodAccess()
    stated = method.GetOptions().Extensions[policy_pb2.policy].access
    return MethodAccess(
        roles=frozenset(policy_pb2.Role.Name(role).removeprefix("ROLE_") for role in stated.roles),
        peers=frozenset(stated.peers),
        owner=stated.owner,
    )


def find_method(path: str) -> MethodDescriptor | None:
    """Return the descriptor of "/package.Service/Method" if its contract is imported."""
    service_name, _, method_name = path.removeprefix("/").partition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        return service.methods_by_name[method_name]
    except KeyError:
        return None


def refusal(access: MethodAccess, caller: Caller) -> Exception | None:
    """Return why the caller may not call the method; None if they may.

    A token decides for people, whichever service passes it on. Without a token the peer decides.
    """
    if not access.roles and not access.peers:
        return ClosedMethodError()
    if caller.subject:
        return None if caller.roles & access.roles else RoleNotAllowedError(access.roles)
    if caller.service in access.peers:
        return None
    return TokenRequiredError(access.roles) if access.roles else PeerNotAllowedError(caller.service)


def is_customer_only(access: MethodAccess, caller: Caller) -> bool:
    """Whether the caller may call the method as a customer, and in no other role."""
    return bool(caller.subject) and caller.roles & access.roles == {CUSTOMER}
