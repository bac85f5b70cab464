"""Reads the filter of a page from its URL; what can't be read is left out and said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from services.console.wire.texts import EnumNames

MOST_CHARACTERS = 200
MAX_INT64 = 2**63 - 1


@dataclass(slots=True)
class QueryValues:
    """The query of a URL, value by value. `faults` says what couldn't be used."""

    query: Mapping[str, str]
    faults: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A text without the spaces around it."""
        return self.query.get(name, "").strip()[:MOST_CHARACTERS]

    def whole(self, name: str, *, least: int = 0) -> int | None:
        """A whole number; None if there is none."""
        text = self.text(name)
        if not text:
            return None
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if least <= value <= MAX_INT64:
            return value
        self.faults.append(f"{name}: {text} is not a whole number from {least}")
        return None

    def instant(self, name: str) -> Timestamp | None:
        """An instant as a date, or a date with a time, in UTC unless it says otherwise."""
        text = self.text(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            stamp = Timestamp()
            stamp.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            self.faults.append(f"{name}: {text} is not a date such as 2026-11-29T12:00")
            return None
        return stamp

    def services(self, every: Sequence[str]) -> Sequence[str]:
        """The one service that is named, or every one."""
        wanted = self.text("service")
        if wanted in every:
            return (wanted,)
        if wanted:
            self.faults.append(f"service: {wanted} is not a service")
        return every

    def state(self, name: str, states: EnumNames, prefix: str) -> int:
        """The number of a state by its word; 0 if there is none."""
        word = self.text(name).upper()
        if not word:
            return 0
        numbers = {states.Name(each).removeprefix(prefix): each for each in states.values()}
        if numbers.get(word):
            return numbers[word]
        self.faults.append(f"{name}: {word} is not a state")
        return 0


def words_of(states: EnumNames, prefix: str) -> tuple[str, ...]:
    """The words of all states but the one that is never sent."""
    return tuple(states.Name(each).removeprefix(prefix) for each in states.values() if each)
