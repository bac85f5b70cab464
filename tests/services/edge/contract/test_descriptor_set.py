"""The descriptor set of the edge has the public methods with their paths, and nothing internal."""

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from services.edge.contract.contract import CONTRACTS, read

CONTRACT = read()
FILES = FileDescriptorSet.FromString(CONTRACT.descriptor_set)


def pool() -> DescriptorPool:
    """A pool of the set's files, added in their order."""
    made = DescriptorPool()
    for file in FILES.file:
        made.Add(file)
        made.FindFileByName(file.name)
    return made


def test_it_has_exactly_the_public_methods() -> None:
    """A method without a path, such as ReserveStock, isn't in the set that the public gets."""
    served = {
        f"/{file.package}.{service.name}/{method.name}"
        for file in FILES.file
        for service in file.service
        for method in service.method
    }

    assert served == {method.path for method in CONTRACT.methods}


def test_every_method_has_the_rule_of_its_path() -> None:
    """A read is a GET without a body; a change is a POST whose body is the request."""
    rules = {
        f"/{file.package}.{service.name}/{method.name}": method.options.Extensions[
            annotations_pb2.http
        ]
        for file in FILES.file
        for service in file.service
        for method in service.method
    }

    for method in CONTRACT.methods:
        rule = rules[method.path]
        assert (rule.get or rule.post) == method.http_path
        assert rule.body == ("*" if method.verb == "POST" else "")


def test_every_file_follows_those_that_it_imports() -> None:
    """A reader can add the files one after the other, and resolves every type."""
    descriptors = pool()

    for method in CONTRACT.methods:
        assert descriptors.FindMessageTypeByName(method.response.full_name).full_name


def test_whatever_an_error_or_an_event_carries_is_known() -> None:
    """With one type missing, Envoy would answer an error that carries it with an empty body."""
    descriptors = pool()

    for name in (
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.PreconditionFailure",
        "google.rpc.RetryInfo",
        "tradepost.order.v1.OrderPlaced",
    ):
        assert descriptors.FindMessageTypeByName(name).full_name == name


def test_services_for_the_inside_and_for_tests_are_left_out() -> None:
    """Event services, the drain and the simulated processor are no business of the public."""
    names = {file.name for file in FILES.file}

    assert "tradepost/event/v1/event_service.proto" not in names
    assert "tradepost/instance/v1/instance_service.proto" not in names
    assert not [name for name in names if "/testing/" in name]


def test_it_is_the_same_each_time_and_has_no_comments() -> None:
    """The bytes depend on the contracts only, so an unchanged contract changes no configuration."""
    assert read(CONTRACTS).descriptor_set == CONTRACT.descriptor_set
    assert not [file.name for file in FILES.file if file.HasField("source_code_info")]
