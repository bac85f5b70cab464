"""The names of enum values as views show them."""

from google.protobuf.descriptor import EnumDescriptor


def name_of(enum: EnumDescriptor, number: int, prefix: str) -> str:
    """Return a value's name without its prefix, such as "CONFIRMED"; "" for a newer contract's."""
    value = enum.values_by_number.get(number)
    return "" if value is None else value.name.removeprefix(prefix)
