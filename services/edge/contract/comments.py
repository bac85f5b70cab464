"""The comments of the contracts, by the full name of what they describe."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

# Where an element stands in its file: numbers of fields of descriptor.proto and indices, in turns.
_Place: TypeAlias = tuple[int, ...]

_MESSAGES = FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
_ENUMS = FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
_SERVICES = FileDescriptorProto.SERVICE_FIELD_NUMBER
_FIELDS = DescriptorProto.FIELD_FIELD_NUMBER
_NESTED_MESSAGES = DescriptorProto.NESTED_TYPE_FIELD_NUMBER
_NESTED_ENUMS = DescriptorProto.ENUM_TYPE_FIELD_NUMBER
_VALUES = EnumDescriptorProto.VALUE_FIELD_NUMBER
# ServiceDescriptorProto.method.
_METHODS = 2


def comments(files: FileDescriptorSet) -> Mapping[str, str]:
    """Return each comment as one line of text.

    The name of an enum's value is that of its enum, a dot and its own.
    """
    return {name: text for file in files.file for name, text in _of_file(file)}


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    texts = {
        tuple(location.path): " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
    }
    for place, name in _elements(file):
        if text := texts.get(place):
            yield name, text


def _elements(file: FileDescriptorProto) -> Iterator[tuple[_Place, str]]:
    yield from _of_messages(file.message_type, (_MESSAGES,), file.package)
    yield from _of_enums(file.enum_type, (_ENUMS,), file.package)
    for number, service in enumerate(file.service):
        place, name = (_SERVICES, number), f"{file.package}.{service.name}"
        yield place, name
        for index, method in enumerate(service.method):
            yield (*place, _METHODS, index), f"{name}.{method.name}"


def _of_messages(
    messages: Sequence[DescriptorProto], above: _Place, scope: str
) -> Iterator[tuple[_Place, str]]:
    for number, message in enumerate(messages):
        place, name = (*above, number), f"{scope}.{message.name}"
        yield place, name
        for index, field in enumerate(message.field):
            yield (*place, _FIELDS, index), f"{name}.{field.name}"
        yield from _of_messages(message.nested_type, (*place, _NESTED_MESSAGES), name)
        yield from _of_enums(message.enum_type, (*place, _NESTED_ENUMS), name)


def _of_enums(
    enums: Sequence[EnumDescriptorProto], above: _Place, scope: str
) -> Iterator[tuple[_Place, str]]:
    for number, enum in enumerate(enums):
        place, name = (*above, number), f"{scope}.{enum.name}"
        yield place, name
        for index, value in enumerate(enum.value):
            yield (*place, _VALUES, index), f"{name}.{value.name}"
