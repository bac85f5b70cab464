"""The error of an append to a stream that has moved on: read the stream again, then decide."""


class StreamConflictError(Exception):
    """The stream moved on since its version was read: read it again and decide again."""

    def __init__(self, stream: str, expected_version: int) -> None:
        super().__init__(f"{stream} is not at version {expected_version}")
        self.stream = stream
        self.expected_version = expected_version
        self.facts = {"stream": stream, "expected_version": str(expected_version)}
