"""Errors that the server itself refuses a call with.

fix the request     MalformedMessageError, UnknownServiceError
retry later         OverloadedError, DeadlinePassedError
a bug               UnexpectedError
"""


class MalformedMessageError(Exception):
    """The bytes are no message of the method."""

    def __init__(self, method: str) -> None:
        super().__init__(f"the bytes are no request of {method}")
        self.facts = {"method": method}


class UnknownServiceError(Exception):
    """Health was asked about a service that is not served here."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not served here")
        self.facts = {"service": service}


class OverloadedError(Exception):
    """The server has as many calls as it takes on; nothing was begun.

    `retry_after_s` is when a place may be free, where the limiter knows.
    """

    def __init__(self, *, limit: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"all {limit} places are taken")
        self.facts = {"limit": str(limit)}
        self.retry_after_s = retry_after_s


class DeadlinePassedError(Exception):
    """The caller had stopped waiting before the work began."""

    def __init__(self) -> None:
        super().__init__("the deadline was over on arrival")


class UnexpectedError(Exception):
    """Stands in for an exception without a rule: the id is found in the log, the text is not sent.

    Chain the exception it stands for (`raise ... from error`) where there is one.
    """

    def __init__(self, error_id: str) -> None:
        super().__init__("internal error")
        self.facts = {"error_id": error_id}
