"""The error of an append: StreamConflictError, read the stream again and decide again."""


class StreamConflictError(Exception):
    """The stream is not at the expected version: another write appended to it in between."""

    def __init__(self, stream: str, expected_version: int) -> None:
        super().__init__(f"{stream} is not at version {expected_version}")
        self.stream = stream
        self.expected_version = expected_version
        self.facts = {"stream": stream, "expected_version": str(expected_version)}
