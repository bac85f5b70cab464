"""A method's contract says whether it may be sent twice."""

import pytest
from google.protobuf import descriptor_pool, empty_pb2

from discovery.rules.idempotency import is_safe
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
