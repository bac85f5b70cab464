"""OpenAPI 3.1 of the public methods, made of their descriptors and comments.

It describes what a client of HTTP and JSON sees: Envoy transcodes it to the gRPC methods.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorSet

from services.edge.contract.comments import comments
from services.edge.contract.methods import PublicMethod
from services.edge.contract.schemas import WELL_KNOWN, Schema, Schemas

_ABOUT = (
    "Every method can also be called by gRPC, gRPC-Web and Connect. Names of query parameters and"
    " of JSON fields are in camelCase. A field that has its default value can be missing from an"
    " answer."
)
_ERROR: Schema = {
    "type": "object",
    "description": "A google.rpc.Status.",
    "properties": {
        "code": {"type": "integer", "description": "The code of gRPC, such as 5 for NOT_FOUND."},
        "message": {"type": "string", "description": "For people; may change at any time."},
        "details": {
            "type": "array",
            "description": (
                "One is a google.rpc.ErrorInfo, whose `reason` says what happened. Others can be"
                " a BadRequest, a PreconditionFailure or a RetryInfo."
            ),
            "items": {
                "type": "object",
                "properties": {
                    "@type": {"type": "string"},
                    "reason": {"type": "string"},
                    "domain": {"type": "string"},
                    "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "required": ["@type"],
            },
        },
    },
    "required": ["code", "message"],
}
_ERROR_CONTENT: Schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_RESPONSES: Mapping[str, Schema] = {
    "Error": {"description": "The call failed; the reason is in `details`."},
    "Unauthenticated": {"description": "The token is missing, expired or not accepted."},
    "TooManyRequests": {
        "description": "The caller calls more often than its rate class allows.",
        "headers": {
            "retry-after": {
                "description": "Seconds after which a call can succeed again.",
                "schema": {"type": "integer"},
            }
        },
    },
}


class UnmappableFieldError(ValueError):
    """A field of a GET's request that can't be a query parameter, such as a message or a map."""

    def __init__(self, field: FieldDescriptor) -> None:
        super().__init__(f"{field.full_name} can't be a query parameter: make the method a POST")


def openapi(methods: Sequence[PublicMethod], files: FileDescriptorSet) -> bytes:
    """Return the document as JSON. Raises UnmappableFieldError."""
    texts = comments(files)
    schemas = Schemas(texts)
    paths: dict[str, Schema] = {}
    for method in methods:
        operation = _operation(method, schemas, texts)
        paths.setdefault(_path(method), {})[method.verb.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Tradepost", "version": "v1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": _tags(methods, files, texts),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Error": _ERROR, **dict(sorted(schemas.components.items()))},
            "responses": {
                name: {**response, "content": _ERROR_CONTENT}
                for name, response in _RESPONSES.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _operation(method: PublicMethod, schemas: Schemas, texts: Mapping[str, str]) -> Schema:
    media_type = "text/event-stream" if method.server_streaming else "application/json"
    answer: Schema = {
        "description": texts.get(method.response.full_name, "The answer."),
        "content": {media_type: {"schema": schemas.message(method.response)}},
    }
    if method.server_streaming:
        answer["description"] += " Each `data:` line of the stream is one such message."
    operation: Schema = {
        "operationId": f"{method.service_name.rpartition('.')[2]}_{method.name}",
        "tags": [method.service_name],
        "description": " ".join([texts.get(method.full_name, ""), *_policy(method)]),
        "parameters": _parameters(method, schemas),
        "responses": {
            "200": answer,
            "401": {"$ref": "#/components/responses/Unauthenticated"},
            "429": {"$ref": "#/components/responses/TooManyRequests"},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    if method.verb == "POST":
        body = schemas.object_of(method.request, without=method.variables)
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return operation


def _path(method: PublicMethod) -> str:
    """Return the path with the fields' JSON names, which parameters and bodies have, too."""
    path = method.http_path
    for name in method.variables:
        path = path.replace(f"{{{name}}}", f"{{{method.request.fields_by_name[name].json_name}}}")
    return path


def _parameters(method: PublicMethod, schemas: Schemas) -> list[Schema]:
    parameters = []
    for field in method.request.fields:
        in_path = field.name in method.variables
        if not in_path and method.verb != "GET":
            continue
        if field.message_type is not None and field.message_type.full_name not in WELL_KNOWN:
            raise UnmappableFieldError(field)
        schema = schemas.field(field)
        parameter: Schema = {
            "name": field.json_name,
            "in": "path" if in_path else "query",
            "required": in_path,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        parameters.append(parameter)
    return parameters


def _policy(method: PublicMethod) -> Iterable[str]:
    """Say in sentences who may call the method, how often, and for how long its answer holds."""
    roles = [
        f"{role} (what is their own)" if role == "CUSTOMER" and method.owner else role
        for role in method.roles
    ]
    yield f"Roles: {', '.join(roles)}."
    yield f"Rate class: {method.rate_class}."
    if method.max_age_s:
        yield f"An answer can be {method.max_age_s:g} seconds old."


def _tags(
    methods: Sequence[PublicMethod], files: FileDescriptorSet, texts: Mapping[str, str]
) -> list[Schema]:
    """Describe each gRPC service: what it is, and the reasons of its errors."""
    services = {method.service_name: method.service for method in methods}
    return [
        {
            "name": name,
            "description": "\n".join(
                [texts.get(name, ""), "", "Reasons of errors:", *_reasons(service, files, texts)]
            ),
        }
        for name, service in sorted(services.items())
    ]


def _reasons(service: str, files: FileDescriptorSet, texts: Mapping[str, str]) -> Iterable[str]:
    """List the values of "OrderErrorReason", as ErrorInfo has them: without their prefix."""
    for file in files.file:
        if file.package.split(".")[1:2] != [service]:
            continue
        for enum in file.enum_type:
            if enum.name.endswith("ErrorReason"):
                yield from _values(enum, f"{file.package}.{enum.name}", texts)


def _values(enum: EnumDescriptorProto, full_name: str, texts: Mapping[str, Any]) -> Iterable[str]:
    prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
    for value in enum.value[1:]:
        yield f"- `{value.name.removeprefix(prefix)}`: {texts.get(f'{full_name}.{value.name}', '')}"
