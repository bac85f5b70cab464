"""Random requests from their descriptors, plausible enough that some pass validation."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from tests.support.bad_input.bad_values import (
    EMOJI,
    MAX_INT32,
    MAX_INT64,
    MIN_INT32,
    MIN_INT64,
    NUL,
)

KnownIds: TypeAlias = Sequence[Mapping[str, str]]

MAX_ENTRIES = 4
MAX_CHANGES = 2
_LIKELY_BY_FIELD = {
    "sku": ("milk", "tea", "jam"),
    "name": ("Milk", "A very good tea"),
    "currency_code": ("USD", "EUR"),
    "payment_method": ("pm_visa", "pm_refund_declined", "pm_capture_declined", "pm_fraud"),
    "etag": ("", "1", "stale"),
}
# A call with a position that is not reached yet waits for it, so these fields stay unset.
_WAITED_FOR = frozenset({"min_position"})
_HEX = "0193a1b2c3d4e5f60718293a4b5c6d7"
_LIKELY_TEXTS = (
    *("", "a", "ann", "milk", "tea", "unicorn", "USD", "EUR", "JPY", "XTS", "counted"),
    *("pm_visa", "pm_nobody_knows"),
    *(f"6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a1{digit}" for digit in range(4)),
    *(f"{prefix}_{_HEX}{digit}" for prefix in ("ord", "rsv", "pay") for digit in range(4)),
    *(NUL, EMOJI, "x" * 65, "x" * 201, "\u202e", "\ufeff", "\U0010ffff"),
)
_LIKELY_NUMBERS = (0, 1, 2, 3, 60, 999, 1_000_000, 1_000_001, -1, 253_402_300_799)
_INT32 = (FieldDescriptor.TYPE_INT32, MIN_INT32, MAX_INT32)
_INT64 = (FieldDescriptor.TYPE_INT64, MIN_INT64, MAX_INT64)


def random_requests(
    descriptor: Descriptor, *, valid: Mapping[str, Any], known: KnownIds
) -> st.SearchStrategy[Mapping[str, Any]]:
    """Draw a valid request with up to two random fields, or a request with all fields random.

    `known` are the ids of the orders that exist, by field.
    """
    at_random = {
        field.name: _field(field, known)
        for field in descriptor.fields
        if field.name not in _WAITED_FOR
    }
    if not at_random:
        return st.just({})
    changes = st.lists(st.sampled_from(sorted(at_random)), max_size=MAX_CHANGES, unique=True)
    changed = st.builds(
        lambda valid, changes: {**valid, **changes},
        _valid(valid, known),
        changes.flatmap(
            lambda names: st.fixed_dictionaries({name: at_random[name] for name in names})
        ),
    )
    return st.one_of(changed, changed, changed, st.fixed_dictionaries({}, optional=at_random))


def _valid(valid: Mapping[str, Any], known: KnownIds) -> st.SearchStrategy[Mapping[str, Any]]:
    """Draw the valid request with a new request_id and the ids of an order that may exist."""
    ids = st.sampled_from([{}, *known]).map(
        lambda ids: {field: one_id for field, one_id in ids.items() if field in valid}
    )
    new = st.uuids().map(lambda uuid: {"request_id": str(uuid)} if "request_id" in valid else {})
    return st.builds(lambda ids, new: {**valid, **ids, **new}, ids, new)


def _fields(descriptor: Descriptor, known: KnownIds) -> st.SearchStrategy[Mapping[str, Any]]:
    optional = {field.name: _field(field, known) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=optional)


def _field(field: FieldDescriptor, known: KnownIds) -> st.SearchStrategy[Any]:
    one = _value(field, known)
    return st.lists(one, max_size=MAX_ENTRIES) if field.is_repeated else one


def _value(field: FieldDescriptor, known: KnownIds) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _fields(field.message_type, known)
    if field.enum_type is not None:
        # A value of a newer contract arrives as its number, so unknown numbers are drawn too.
        return st.integers(-2, len(field.enum_type.values) + 1) | st.just(MAX_INT32)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(field.name, known)
    for kind, lowest, highest in (_INT32, _INT64):
        if field.type == kind:
            likely = [number for number in _LIKELY_NUMBERS if number <= highest]
            return st.sampled_from([*likely, lowest, highest]) | st.integers(lowest, highest)
    raise TypeError(f"no values are known for {field.full_name}")


def _text(field: str, known: KnownIds) -> st.SearchStrategy[str]:
    fitting = [ids[field] for ids in known if field in ids] or list(_LIKELY_BY_FIELD.get(field, ()))
    anything = st.sampled_from(_LIKELY_TEXTS) | st.text(max_size=40)
    return anything | st.sampled_from(fitting) if fitting else anything
