"""The facts of any message as names and texts, for messages that this version needn't know."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from google.protobuf import symbol_database
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.type.v1.money_pb2 import Money

from services.console.wire.texts import instant, instant_text, money_text, span_text

Fact: TypeAlias = tuple[str, str]

# A page shows so many facts of one message; the contract tells the rest.
MOST_FACTS = 20
MOST_CHARACTERS = 200


def facts_of_any(packed: AnyMessage) -> tuple[Fact, ...]:
    """The facts of a packed message; only its type where this version doesn't know it."""
    message = unpacked(packed)
    if message is None:
        return (("type", packed.TypeName()),)
    return facts_of(message)


def unpacked(packed: AnyMessage) -> Message | None:
    """The message; None where this version doesn't know its type or can't read it."""
    try:
        message = symbol_database.Default().GetSymbol(packed.TypeName())()
        message.ParseFromString(packed.value)
    except (KeyError, DecodeError):
        return None
    return message


def facts_of(message: Message) -> tuple[Fact, ...]:
    """The set fields of a message, those of messages inside it as "refusal.reason"."""
    facts = []
    for fact in _facts(message, ""):
        facts.append(fact)
        if len(facts) == MOST_FACTS:
            break
    return tuple(facts)


def _facts(message: Message, prefix: str) -> Iterator[Fact]:
    for field, value in message.ListFields():
        name = f"{prefix}{field.name}"
        if field.is_repeated:
            yield from _repeated(field, value, name)
        else:
            yield from _single(field, value, name)


def _repeated(field: FieldDescriptor, values: Any, name: str) -> Iterator[Fact]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from ((f"{name}.{key}", _clipped(str(values[key]))) for key in sorted(values))
        return
    texts = ("; ".join(text for _, text in _single(field, value, name)) for value in values)
    yield name, _clipped(", ".join(texts))


def _single(field: FieldDescriptor, value: Any, name: str) -> Iterator[Fact]:
    match value:
        case Money():
            yield name, money_text(value)
        case Timestamp():
            yield name, instant_text(instant(value))
        case Duration():
            yield name, span_text(value)
        case AnyMessage():
            yield name, value.TypeName()
        case Message():
            yield from _facts(value, f"{name}.")
        case _ if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            yield name, str(value) if known is None else known.name
        case _:
            yield name, _clipped(str(value))


def _clipped(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
