"""The contract's numbers of a domain's enum values."""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any, TypeVar

E = TypeVar("E", bound=StrEnum)


def enum_numbers(
    kind: type[E], number_of: Callable[[str], int], prefix: str, *, leave_out: Collection[E] = ()
) -> dict[E, Any]:
    """The number of each value, found under the name `<prefix>_<value>`.

    `number_of` is the `Value` method of the generated enum. Raises ValueError where the contract
    lacks a value.
    """
    return {each: number_of(f"{prefix}_{each}") for each in kind if each not in leave_out}
