"""A method's contract says whether it may be sent twice, and what its answer waits for."""

import pytest
from google.protobuf import descriptor_pool, empty_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from tradepost.order.v1 import order_service_pb2
from tradepost.policy.v1 import policy_pb2

from discovery.rules.contract import is_safe, waits
from tests.support.discovery.probe_service import SERVICE, describe, path


@pytest.mark.parametrize(
    ("method", "safe"), [("Get", True), ("Put", True), ("Watch", True), ("Post", False)]
)
def test_the_idempotency_level_decides(method: str, *, safe: bool) -> None:
    """NO_SIDE_EFFECTS and IDEMPOTENT are safe; a method without the option is not."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(empty_pb2.DESCRIPTOR.serialized_pb)
    describe(pool)

    assert is_safe(path(method), pool) is safe


@pytest.mark.parametrize(
    "unknown", [f"/{SERVICE}/Nothing", "/nobody.Knows/Get", "/", "", "no path at all", "/a/b/c"]
)
def test_a_method_without_a_descriptor_is_unsafe(unknown: str) -> None:
    """A call by a bare path may do anything."""
    assert not is_safe(unknown)


def test_generated_code_fills_the_default_pool() -> None:
    """Importing a contract's generated module is enough."""
    assert is_safe(path("Get"))


@pytest.mark.parametrize(
    ("method", "expected"),
    [("CreateOrder", True), ("WatchOrder", True), ("GetOrder", False), ("Nothing", False)],
)
def test_the_policy_says_whether_an_answer_waits(method: str, *, expected: bool) -> None:
    """CreateOrder waits for the checkout's end, GetOrder for the instance alone."""
    service = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name

    assert waits(f"/{service}/{method}") is expected


def test_a_contract_without_the_policy_does_not_wait() -> None:
    """A method without the option, or without a descriptor, has an answer of its instance alone."""
    assert not waits(path("Get"))
    assert not waits("/nobody.Knows/Get")


def test_the_contract_of_another_team_can_state_the_policy() -> None:
    """The option is found by its name, in whichever contract it stands."""
    options = MethodOptions()
    options.Extensions[policy_pb2.policy].waits = True
    file = FileDescriptorProto(
        name="elsewhere/v1/elsewhere.proto",
        package="elsewhere.v1",
        syntax="proto3",
        dependency=["google/protobuf/empty.proto", policy_pb2.DESCRIPTOR.name],
    )
    empty = ".google.protobuf.Empty"
    file.service.add(name="Kitchen").method.add(
        name="Bake", input_type=empty, output_type=empty, options=options
    )
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())

    assert waits("/elsewhere.v1.Kitchen/Bake")
