"""The numbers and names of enum values in the contract."""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor

E = TypeVar("E", bound=StrEnum)


def enum_numbers(
    kind: type[E], number_of: Callable[[str], int], prefix: str, *, leave_out: Collection[E] = ()
) -> dict[E, Any]:
    """The number of each value, found under the name `<prefix>_<value>`.

    `number_of` is the `Value` method of the generated enum. Raises ValueError where the contract
    lacks a value.
    """
    return {each: number_of(f"{prefix}_{each}") for each in kind if each not in leave_out}


class UnknownEnumValueError(Exception):
    """A message has an enum value that this version of the contract does not know."""

    def __init__(self, enum: str, number: int) -> None:
        super().__init__(f"{enum} {number} is unknown to this version; a newer one may know it")
        self.facts = {"enum": enum, "number": str(number)}


def name_of(enum: EnumDescriptor, number: int, prefix: str = "") -> str:
    """The name of a value, without `prefix`. Raises UnknownEnumValueError.

    A caller that cannot go on without the value lets the error through: the work is repeated, and
    goes on when a version that knows the value takes it over.
    """
    value = enum.values_by_number.get(number)
    if value is None:
        raise UnknownEnumValueError(enum.name, number)
    return str(value.name).removeprefix(prefix)
