"""What the unit of work needs of a dialect."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from sqlalchemy import Connection


class NoPipelines:
    """Sends each statement by itself, so that the one that fails is known."""

    def pipeline(self, _: Connection) -> AbstractContextManager[object]:
        """Do nothing around the block."""
        return nullcontext()


class Pipelines(Protocol):
    """Sends several statements before it waits for their answers."""

    def pipeline(self, connection: Connection) -> AbstractContextManager[object]:
        """Send the statements of the block together, where the database can.

        A statement may then fail at the end of the block only.
        """
        ...
