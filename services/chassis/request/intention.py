"""A validated request to change something."""

from dataclasses import dataclass
from typing import Generic, TypeVar

CommandT_co = TypeVar("CommandT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Intention(Generic[CommandT_co]):
    """A command, and the keys that identify a repetition of its request (AIP-155).

    The same `request_id` and `fingerprint` under the same `method` have one effect, however often
    they arrive. `subject` is the id of the aggregate, if the command itself does not name it.
    """

    method: str
    request_id: str
    fingerprint: bytes
    command: CommandT_co
    subject: str = ""
