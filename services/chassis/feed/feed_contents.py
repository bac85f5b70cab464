"""What a feed can contain, so that a filter that matches nothing for ever is refused."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor

from services.chassis.request.validation import Check


@dataclass(frozen=True, slots=True)
class FeedContents:
    """The feed `name`, and all types and topics that this version of its service appends."""

    name: str
    types: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def check_types(self, check: Check, types: Sequence[str]) -> None:
        """Add a violation for each type that no event has; the first one lists the known types."""
        unknown = [index for index, name in enumerate(types) if name not in self.types]
        for number, index in enumerate(unknown):
            listed = "" if number else f"{self._known('types', self.types)}; {_NEWER}"
            check.violation(f"types[{index}]", f"is not a type of the feed {self.name}{listed}")

    def check_topic(self, check: Check, topic: str) -> None:
        """Add a violation for a topic that no event has."""
        if topic and topic not in self.topics:
            known = self._known("topics", self.topics)
            check.violation("topic", f"is not a topic of the feed {self.name}{known}; {_NEWER}")

    def _known(self, what: str, names: tuple[str, ...]) -> str:
        return f", whose {what} are: {', '.join(names) or 'none'}"


_NEWER = "a reader that is newer than the feed sets allow_unknown"


def event_types(contract: FileDescriptor, *, parts: Collection[str] = ()) -> tuple[str, ...]:
    """The full names of the messages of a contract, without `parts`, which are in events only."""
    messages = contract.message_types_by_name.items()
    return tuple(message.full_name for name, message in messages if name not in parts)
