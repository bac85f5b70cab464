"""What is asked of the fork server, and what it reports.

Standard library only: commands import it before anything is installed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

# The most that the JSON of a request may take; it is one message on the socket.
REQUEST_BYTES = 128 * 1024
# A report is two numbers of this size: the fork's process id with this bit, and at its end the
# status of `os.waitpid`. Of a fork that ends before it has begun there is the status alone.
NUMBER_BYTES = 8
PROCESS_ID = 1 << 32


@dataclass(frozen=True, slots=True)
class Request:
    """A program to run: a module, its environment, and what process listings show of it."""

    module: str
    environment: Mapping[str, str]
    title: str

    def encode(self) -> bytes:
        """As a message."""
        fields = {"module": self.module, "environment": self.environment, "title": self.title}
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Request":
        """From a message."""
        return cls(**json.loads(message))
