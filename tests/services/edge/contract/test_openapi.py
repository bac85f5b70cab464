"""The OpenAPI document is valid, and says of each method what a client of HTTP and JSON needs."""

import json
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from openapi_spec_validator import OpenAPIV31SpecValidator
from tradepost.policy.v1 import policy_pb2

from services.edge.contract.contract import CONTRACTS, read
from services.edge.contract.methods import public_methods
from services.edge.contract.openapi import UnmappableFieldError, openapi

CONTRACT = read()
DOCUMENT: dict[str, Any] = json.loads(CONTRACT.openapi)
ORDER = "tradepost.order.v1.Order"


def operation(path: str, verb: str = "get") -> dict[str, Any]:
    """The operation at a path."""
    found: dict[str, Any] = DOCUMENT["paths"][path][verb]
    return found


def properties(name: str) -> dict[str, Any]:
    """The properties of a component."""
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]["properties"]
    return found


def test_it_is_valid_openapi() -> None:
    """The document follows the schema of OpenAPI 3.1, and every reference leads somewhere."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_public_method_is_an_operation() -> None:
    """Each method has one operation, at its verb, with a name of its own."""
    operations = [each for path in DOCUMENT["paths"].values() for each in path.values()]

    assert len(operations) == len(CONTRACT.methods)
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert "OrderService_GetOrder" in {each["operationId"] for each in operations}


def test_the_same_contracts_give_the_same_document() -> None:
    """Its bytes depend on the contracts only."""
    assert read(CONTRACTS).openapi == CONTRACT.openapi


def test_a_get_has_the_other_fields_of_its_request_in_the_query() -> None:
    """Fields of the path are required; the others are optional, in camelCase."""
    parameters = {each["name"]: each for each in operation("/v1/orders/{orderId}")["parameters"]}

    assert (parameters["orderId"]["in"], parameters["orderId"]["required"]) == ("path", True)
    assert parameters["minVersion"]["in"] == "query"
    assert not parameters["minVersion"]["required"]
    assert parameters["minVersion"]["schema"]["format"] == "int64"
    assert "VERSION_OUT_OF_RANGE" in parameters["minVersion"]["description"]


def test_a_post_has_the_fields_that_its_path_lacks_in_its_body() -> None:
    """The order that is cancelled is named by the path; the reason is in the body."""
    cancel = operation("/v1/orders/{orderId}:cancel", "post")
    body = cancel["requestBody"]["content"]["application/json"]["schema"]["properties"]

    assert [each["name"] for each in cancel["parameters"]] == ["orderId"]
    assert "requestId" in body
    assert "orderId" not in body


def test_values_have_the_form_of_the_json_mapping() -> None:
    """64-bit numbers, instants and enums are strings; messages are references."""
    order = properties(ORDER)

    assert order["version"]["type"] == "string"
    assert order["createTime"]["format"] == "date-time"
    assert order["state"]["$ref"] == "#/components/schemas/tradepost.order.v1.OrderState"
    assert order["lines"]["items"]["$ref"] == "#/components/schemas/tradepost.order.v1.OrderLine"
    assert properties("tradepost.order.v1.OrderRefusal")["facts"]["additionalProperties"] == {
        "type": "string"
    }
    states = DOCUMENT["components"]["schemas"]["tradepost.order.v1.OrderState"]
    assert "ORDER_STATE_CONFIRMED" in states["enum"]
    assert "- `ORDER_STATE_CONFIRMED`: Paid and allocated. Settled." in states["description"]


def test_the_comments_of_the_contract_are_the_descriptions() -> None:
    """A field and a method are described as in the .proto file, the method with its policy."""
    assert properties(ORDER)["customerId"]["description"] == "Who ordered."
    text = operation("/v1/items")["description"]
    assert text.startswith("Lists")
    assert "Roles: CUSTOMER, CLERK, OPERATOR." in text
    assert "An answer can be 5 seconds old." in text
    assert "CUSTOMER (what is their own)" in operation("/v1/orders")["description"]


def test_a_stream_is_described_as_server_sent_events() -> None:
    """Each event of a watch is one message of the stream."""
    answer = operation("/v1/orders/{orderId}:watch")["responses"]["200"]

    assert list(answer["content"]) == ["text/event-stream"]
    assert "`data:`" in answer["description"]


def test_each_service_lists_the_reasons_of_its_errors() -> None:
    """Admin methods of the order service fail for the reasons of the order service."""
    tags = {each["name"]: each["description"] for each in DOCUMENT["tags"]}

    assert "- `ORDER_NOT_FOUND`: NOT_FOUND: " in tags["tradepost.order.v1.OrderService"]
    assert "- `SAGA_NOT_FOUND`: " in tags["tradepost.order.admin.v1.SagaAdminService"]


def test_a_read_that_takes_a_message_is_refused() -> None:
    """A message can't be a query parameter; the document isn't made without it."""
    files = FileDescriptorSet()
    names = ("google/protobuf/descriptor.proto", "google/protobuf/duration.proto")
    every = FileDescriptorSet.FromString(CONTRACTS.read_bytes()).file
    for name in (*names, policy_pb2.DESCRIPTOR.name):
        files.file.extend(each for each in every if each.name == name)
    files.file.append(_contract_of_a_search())

    with pytest.raises(UnmappableFieldError, match=r"shop\.orders\.v1\.SearchRequest\.filter"):
        openapi(public_methods(files), files)


def _contract_of_a_search() -> FileDescriptorProto:
    file = FileDescriptorProto(
        name="shop.proto",
        package="shop.orders.v1",
        syntax="proto3",
        dependency=[policy_pb2.DESCRIPTOR.name],
    )
    file.message_type.add(name="Filter")
    request = file.message_type.add(name="SearchRequest")
    request.field.add(name="filter", number=1, type=11, label=1, type_name=".shop.orders.v1.Filter")
    search = file.service.add(name="Shop").method.add(
        name="Search",
        input_type=".shop.orders.v1.SearchRequest",
        output_type=".shop.orders.v1.Filter",
    )
    search.options.Extensions[policy_pb2.policy].http = "GET /v1/search"
    return file
