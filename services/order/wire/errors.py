"""The status and the reason of each error that the order service raises."""

from types import MappingProxyType

import grpc

from services.chassis.server.error_rules import ErrorRule, Errors
from services.order.domain.errors import (
    OrderNotCancellableError,
    OrderNotFoundError,
    OrderNotFulfillableError,
    OrderNotReturnableError,
    ParticipantUnavailableError,
    RetryCannotHelpError,
    ReturnExceedsFulfilledError,
    SagaNotFoundError,
    SagaNotRetryableError,
    StoredByNewerVersionError,
    VersionOutOfRangeError,
    ViewLaggingError,
)

_RETRY_SOON_S = 0.1

ERRORS: Errors = MappingProxyType(
    {
        OrderNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND"),
        OrderNotCancellableError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE"
        ),
        OrderNotFulfillableError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_FULFILLABLE"
        ),
        OrderNotReturnableError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_RETURNABLE"
        ),
        ReturnExceedsFulfilledError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_FULFILLED"
        ),
        VersionOutOfRangeError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "VERSION_OUT_OF_RANGE"),
        ViewLaggingError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "VIEW_LAGGING", retry_after_s=_RETRY_SOON_S
        ),
        ParticipantUnavailableError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "PARTICIPANT_UNAVAILABLE", retry_after_s=_RETRY_SOON_S
        ),
        StoredByNewerVersionError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "STORED_BY_NEWER_VERSION"
        ),
        SagaNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "SAGA_NOT_FOUND"),
        RetryCannotHelpError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "SAGA_NOT_RETRYABLE"),
        SagaNotRetryableError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "SAGA_NOT_RETRYABLE"),
    }
)
