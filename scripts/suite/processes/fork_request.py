"""What is asked of the fork server, and what it reports.

Standard library only: commands import it before anything is installed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

# A request is one message on the socket: an environment, and names.
REQUEST_BYTES = 128 * 1024
# What a report is made of: first the process id of the fork, at its end the status of `os.waitpid`.
NUMBER_BYTES = 8


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
