"""Errors that the server itself refuses a call with.

fix the request     MalformedMessageError, UnknownServiceError, NotThisInstanceError
ask the operator    PeerDeniedError
retry later         OverloadedError, DeadlinePassedError
a bug               UnexpectedError
the operator's      CannotListenError; it stops the start
"""


class MalformedMessageError(Exception):
    """The bytes cannot be read as a request of the method."""

    def __init__(self, method: str) -> None:
        super().__init__(f"the bytes are no request of {method}")
        self.facts = {"method": method}


class UnknownServiceError(Exception):
    """A health check named a service that is not served here."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not served here")
        self.facts = {"service": service}


class NotThisInstanceError(Exception):
    """A call about one instance reached another: addresses are used again by other processes."""

    def __init__(self, *, asked: str, instance_id: str) -> None:
        super().__init__(f"this is {instance_id}, not {asked}")
        self.facts = {"asked_instance_id": asked, "instance_id": instance_id}


class PeerDeniedError(Exception):
    """No intention of Consul allows the peer to call this service, or no longer."""

    def __init__(self, *, peer: str, service: str) -> None:
        super().__init__(
            f"no intention allows {peer or 'a peer without a known service'} to call {service}"
        )
        self.facts = {"peer": peer, "service": service}


class OverloadedError(Exception):
    """The server has as many calls as it accepts; the call had no effect.

    `setting` is the environment variable of the limit. `retry_after_s` is when a slot may be free,
    if the limiter knows.
    """

    def __init__(self, *, limit: int, setting: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"all {limit} slots of this instance ({setting}) are taken")
        self.facts = {"limit": str(limit), "setting": setting}
        self.retry_after_s = retry_after_s


class DeadlinePassedError(Exception):
    """The deadline had passed before the work began."""

    def __init__(self) -> None:
        super().__init__("the deadline was over on arrival")


class UnexpectedError(Exception):
    """Replaces an exception without a rule: its text is only logged, under the error id.

    Chain the original exception (`raise ... from error`) if there is one.
    """

    def __init__(self, error_id: str) -> None:
        super().__init__("internal error")
        self.facts = {"error_id": error_id}


class CannotListenError(Exception):
    """The server can't listen on the address: another process has the port, or it isn't ours.

    `setting` names the environment variables of the address.
    """

    def __init__(self, address: str, setting: str) -> None:
        super().__init__(f"cannot listen on {address}")
        self.setting = setting
