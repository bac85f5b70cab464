"""The errors of the order service. After each of them nothing has changed and nothing is stored.

    OrderError
      fix the id or the version   OrderNotFoundError, SagaNotFoundError, VersionOutOfRangeError
      read the state first        OrderNotCancellableError, OrderNotFulfillableError,
                                  OrderNotReturnableError, ReturnExceedsFulfilledError,
                                  SagaNotRetryableError, RetryCannotHelpError
      retry later                 ViewLaggingError, ParticipantUnavailableError
      deploy a newer version      StoredByNewerVersionError

A refusal that is stored (a shortage, a decline) is part of the order: see `events.Refusal`.
"""

from collections.abc import Mapping

from services.chassis.domain.precondition import Precondition


class OrderError(Exception):
    """An error with facts by name, which callers get as metadata."""

    precondition_violations: tuple[Precondition, ...] = ()

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.facts: Mapping[str, str] = facts


class OrderNotFoundError(OrderError):
    """There is no order with this id."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}", order_id=order_id)


class SagaNotFoundError(OrderError):
    """The order has nothing left to do, or does not exist."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id} has no saga", order_id=order_id)


class VersionOutOfRangeError(OrderError):
    """The order has no such version."""

    def __init__(self, order_id: str, *, version: int, newest: int) -> None:
        super().__init__(
            f"{order_id} has no version {version}; its newest is {newest}",
            order_id=order_id,
            version=str(version),
            newest_version=str(newest),
        )


class OrderNotCancellableError(OrderError):
    """The stock is being shipped or was shipped."""

    def __init__(self, order_id: str, *, state: str) -> None:
        message = f"{order_id} is {state} and cannot be cancelled"
        super().__init__(message, order_id=order_id, state=state)
        self.precondition_violations = (Precondition("STATE", order_id, message),)


class OrderNotFulfillableError(OrderError):
    """Only a confirmed order can be fulfilled."""

    def __init__(self, order_id: str, *, state: str) -> None:
        message = f"{order_id} is {state} and cannot be fulfilled"
        super().__init__(message, order_id=order_id, state=state)
        self.precondition_violations = (Precondition("STATE", order_id, message),)


class OrderNotReturnableError(OrderError):
    """Only the goods of a fulfilled order can come back, and in a limited number of returns."""

    def __init__(self, order_id: str, *, state: str, returns: int) -> None:
        message = f"{order_id} is {state} with {returns} returns and takes no other"
        super().__init__(message, order_id=order_id, state=state, returns=str(returns))
        self.precondition_violations = (Precondition("STATE", order_id, message),)


class ReturnExceedsFulfilledError(OrderError):
    """More units would come back than were fulfilled and have not come back yet."""

    def __init__(self, order_id: str, sku: str, *, requested: int, returnable: int) -> None:
        message = f"{requested} of {sku} cannot come back to {order_id}: {returnable} can"
        super().__init__(
            message,
            order_id=order_id,
            sku=sku,
            requested=str(requested),
            returnable=str(returnable),
        )
        self.precondition_violations = (Precondition("QUANTITY", order_id, message),)


class SagaNotRetryableError(OrderError):
    """An instance is carrying out the saga's step right now: there is nothing to retry."""

    def __init__(self, order_id: str, *, step: str, owner: str) -> None:
        message = f"{owner} is doing {step} of {order_id} right now"
        super().__init__(message, order_id=order_id, step=step, owner=owner)
        self.precondition_violations = (Precondition("LEASE", order_id, message),)


class RetryCannotHelpError(OrderError):
    """The step would always get the same answer; `instead` is the method that ends the order."""

    def __init__(self, order_id: str, *, step: str, reason: str, instead: str) -> None:
        message = f"{step} of {order_id} can only fail again ({reason}): call {instead} instead"
        super().__init__(
            message, order_id=order_id, step=step, review_reason=reason, instead=instead
        )
        self.precondition_violations = (Precondition("REVIEW", order_id, message),)


class StoredByNewerVersionError(OrderError):
    """A newer version of this service wrote an event that this one cannot read."""

    def __init__(self, order_id: str, *, version: int, event_type: str, detail: str) -> None:
        message = (
            f"{order_id} has an event of a newer version of this service"
            f" ({event_type}, version {version} of the order): {detail}"
        )
        super().__init__(message, order_id=order_id, version=str(version), event_type=event_type)
        self.precondition_violations = (Precondition("VERSION", order_id, message),)


class ViewLaggingError(OrderError):
    """A view has not reached the requested position."""

    def __init__(self, *, position: int, min_position: int) -> None:
        super().__init__(
            f"the view has reached position {position}, not {min_position}",
            position=str(position),
            min_position=str(min_position),
        )


class ParticipantUnavailableError(OrderError):
    """A participant did not answer the call that validates an order."""

    def __init__(self, participant: str) -> None:
        super().__init__(f"{participant} did not answer", participant=participant)
