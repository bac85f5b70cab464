"""JSON Schemas (draft 2020-12) of messages, as protobuf's JSON mapping writes them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema: TypeAlias = dict[str, Any]

# 64-bit numbers are strings in JSON, because a double can't hold all of them.
_SIGNED: Mapping[str, object] = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
_UNSIGNED: Mapping[str, object] = {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}
_INTEGER: Mapping[str, object] = {"type": "integer", "format": "int32"}
_SCALARS: Mapping[int, Mapping[str, object]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_STRING: {"type": "string"},
        FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
        FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
        FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
        FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
        FieldDescriptor.TYPE_INT32: _INTEGER,
        FieldDescriptor.TYPE_SINT32: _INTEGER,
        FieldDescriptor.TYPE_SFIXED32: _INTEGER,
        FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0},
        FieldDescriptor.TYPE_FIXED32: {"type": "integer", "minimum": 0},
        FieldDescriptor.TYPE_INT64: _SIGNED,
        FieldDescriptor.TYPE_SINT64: _SIGNED,
        FieldDescriptor.TYPE_SFIXED64: _SIGNED,
        FieldDescriptor.TYPE_UINT64: _UNSIGNED,
        FieldDescriptor.TYPE_FIXED64: _UNSIGNED,
    }
)
# Messages that the JSON mapping writes in a form of their own.
WELL_KNOWN: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
        "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
        "google.protobuf.Any": {
            "type": "object",
            "properties": {"@type": {"type": "string"}},
            "required": ["@type"],
        },
    }
)


class Schemas:
    """The schemas of the messages and enums that were asked for, and of all that they contain."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self.components: dict[str, Schema] = {}

    def message(self, message: Descriptor) -> Schema:
        """Return a reference to the schema of a message, or the form of a well-known one."""
        if well_known := WELL_KNOWN.get(message.full_name):
            return dict(well_known)
        if message.full_name not in self.components:
            # Entered before its fields are looked at, because a message can contain itself.
            schema = self.components[message.full_name] = {}
            schema.update(self.object_of(message))
        return _reference(message.full_name)

    def object_of(self, message: Descriptor, *, without: tuple[str, ...] = ()) -> Schema:
        """Return the schema itself, without the fields of these names."""
        return self._described(
            message.full_name,
            {
                "type": "object",
                "properties": {
                    field.json_name: self.field(field)
                    for field in message.fields
                    if field.name not in without
                },
            },
        )

    def field(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a field's value, with its comment."""
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            return self._described(
                field.full_name,
                {"type": "object", "additionalProperties": self._value(value)},
            )
        schema = self._value(field)
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        return self._described(field.full_name, schema)

    def _value(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name not in self.components:
            names = [value.name for value in enum.values]
            meanings = (
                f"- `{name}`: {self._comments.get(f'{enum.full_name}.{name}', '')}"
                for name in names
            )
            self.components[enum.full_name] = {
                "type": "string",
                "enum": names,
                "description": "\n".join([self._comments.get(enum.full_name, ""), "", *meanings]),
            }
        return _reference(enum.full_name)

    def _described(self, name: str, schema: Schema) -> Schema:
        comment = self._comments.get(name)
        return {**schema, "description": comment} if comment else schema


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
