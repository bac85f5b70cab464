"""Every RPC of the contracts states a policy, and the policy fits the RPC."""

import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from tradepost.policy.v1 import policy_pb2
from tradepost.policy.v1.policy_pb2 import MethodPolicy, RateClass, Role

from scripts.suite.cluster import SERVICES
from scripts.tools.paths import ROOT

READS = MethodOptions.NO_SIDE_EFFECTS
# Fields that name a person, or whose value may depend on who asks.
PERSONAL = frozenset({"actor", "customer_id", "requester", "subject"})


def methods() -> list[MethodDescriptor]:
    """Every method of every service in the generated contracts."""
    generated = ROOT / "generated"
    modules = (
        import_module(".".join(path.relative_to(generated).with_suffix("").parts))
        for path in sorted(generated.rglob("*_service_pb2.py"))
    )
    return [
        method
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


METHODS = methods()
EVERY_METHOD = pytest.mark.parametrize(
    "method", METHODS, ids=[method.full_name.removeprefix("tradepost.") for method in METHODS]
)
EDGE = [method for method in METHODS if method.GetOptions().Extensions[policy_pb2.policy].http]
EVERY_EDGE_METHOD = pytest.mark.parametrize(
    "method", EDGE, ids=[method.full_name.removeprefix("tradepost.") for method in EDGE]
)


def policy_of(method: MethodDescriptor) -> MethodPolicy:
    """The policy that the method's contract states."""
    return method.GetOptions().Extensions[policy_pb2.policy]


def is_read(method: MethodDescriptor) -> bool:
    """Whether the method has no side effects."""
    return method.GetOptions().idempotency_level == READS


def field_at(message: Descriptor, path: str) -> FieldDescriptor | None:
    """The field at a dotted path of a message, if there is one."""
    field = None
    inner: Descriptor | None = message
    for name in path.split("."):
        field = None if inner is None else inner.fields_by_name.get(name)
        inner = None if field is None else field.message_type
    return field


def fields_of(message: Descriptor, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names of all fields of a message and of the messages in it."""
    for field in message.fields:
        yield field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in known:
            yield from fields_of(inner, known | {inner.full_name})


def test_the_services_of_all_contracts_are_covered() -> None:
    """A new contract can't be left out: every `service` of a .proto file is enumerated."""
    declared = {
        name
        for path in (ROOT / "protos").rglob("*.proto")
        for name in re.findall(r"^service (\w+)", path.read_text(), re.MULTILINE)
    }

    assert {method.containing_service.name for method in METHODS} == declared


@EVERY_METHOD
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    """Access names valid roles or registered services, each once."""
    access = policy_of(method).access

    assert access.roles or access.peers
    assert Role.ROLE_UNSPECIFIED not in access.roles
    assert len(set(access.roles)) == len(access.roles)
    assert set(access.peers) <= set(SERVICES)
    assert list(access.peers) == sorted(set(access.peers))


@EVERY_METHOD
def test_every_method_says_whether_it_may_be_repeated(method: MethodDescriptor) -> None:
    """A method without an idempotency_level is never retried; none of these is so."""
    assert method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN


@EVERY_METHOD
def test_an_owner_is_a_text_field_and_only_for_customers(method: MethodDescriptor) -> None:
    """The owner is found in the request or the response, in one of them only."""
    access = policy_of(method).access
    if not access.owner:
        return

    fields = [field_at(side, access.owner) for side in (method.input_type, method.output_type)]
    (found,) = [field for field in fields if field is not None]
    assert found.type == FieldDescriptor.TYPE_STRING
    assert Role.ROLE_CUSTOMER in access.roles
    assert not method.client_streaming


@EVERY_METHOD
def test_what_a_customer_may_call_names_its_owner_or_nobodys_data(method: MethodDescriptor) -> None:
    """A customer calls methods about themselves, and reads of the catalogue."""
    access = policy_of(method).access
    if Role.ROLE_CUSTOMER not in access.roles or access.owner:
        return

    assert is_read(method)
    assert method.containing_service.name == "InventoryService"


@EVERY_METHOD
def test_only_what_is_the_same_for_everyone_may_be_reused(method: MethodDescriptor) -> None:
    """An answer with an age is that of a unary read by anybody, without an owner, at the edge.

    It names nobody, and nothing in the request names one for whom it would be another answer.
    """
    policy = policy_of(method)
    if not policy.HasField("max_age"):
        return

    assert is_read(method)
    assert not method.server_streaming
    assert not policy.access.owner
    assert policy.http.startswith("GET ")
    assert {*policy.access.roles} == {*Role.values()} - {Role.ROLE_UNSPECIFIED}
    for message in (method.input_type, method.output_type):
        assert PERSONAL.isdisjoint(fields_of(message)), message.full_name


@EVERY_METHOD
def test_a_method_at_the_edge_has_a_rate_and_others_have_none(method: MethodDescriptor) -> None:
    """A rate class fits the kind of method: a stream, a read or a change."""
    policy = policy_of(method)
    if not policy.http:
        assert policy.rate == RateClass.RATE_CLASS_UNSPECIFIED
    elif method.server_streaming:
        assert policy.rate == RateClass.RATE_CLASS_WATCH
    elif is_read(method):
        assert policy.rate in {RateClass.RATE_CLASS_READ, RateClass.RATE_CLASS_LIST}
    else:
        assert policy.rate == RateClass.RATE_CLASS_WRITE


@EVERY_EDGE_METHOD
def test_a_path_is_a_verb_and_fields_of_the_request(method: MethodDescriptor) -> None:
    """GET reads and POST changes; each variable of the path is a text field of the request."""
    verb, _, path = policy_of(method).http.partition(" ")

    assert verb == ("GET" if is_read(method) else "POST")
    assert re.fullmatch(r"(/(v1|[a-z][A-Za-z]*|\{[a-z_]+\}))+(:[a-z][A-Za-z]*)?", path), path
    assert path.startswith("/v1/")
    for name in re.findall(r"\{(\w+)\}", path):
        field = method.input_type.fields_by_name[name]
        assert field.type == FieldDescriptor.TYPE_STRING


@EVERY_EDGE_METHOD
def test_people_call_what_the_edge_serves(method: MethodDescriptor) -> None:
    """What only services call is not served at the edge, and nothing for tests is."""
    assert policy_of(method).access.roles
    assert ".testing." not in method.full_name
    assert not method.client_streaming


@EVERY_METHOD
def test_what_only_operators_change_needs_a_reason(method: MethodDescriptor) -> None:
    """Whoever corrects what the services did says why; everyday changes need no reason."""
    policy = policy_of(method)

    only_operators = list(policy.access.roles) == [Role.ROLE_OPERATOR]
    assert policy.reason == (only_operators and not is_read(method))


@EVERY_METHOD
def test_a_reason_is_a_text_field_of_the_request(method: MethodDescriptor) -> None:
    """A method that needs a reason has a field for it, and is answered once."""
    if not policy_of(method).reason:
        return

    assert method.input_type.fields_by_name["reason"].type == FieldDescriptor.TYPE_STRING
    assert not method.client_streaming
    assert not method.server_streaming


def test_no_two_methods_have_one_path() -> None:
    """Verb and path name one method, whatever the variables in the path are called."""
    paths = Counter(re.sub(r"\{\w+\}", "{}", policy_of(method).http) for method in EDGE)

    assert [path for path, times in paths.items() if times > 1] == []
    assert len(paths) == len(EDGE)
