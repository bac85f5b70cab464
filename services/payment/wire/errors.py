"""The gRPC status and reason of each domain error."""

from types import MappingProxyType

import grpc

from services.chassis.server.error_rules import ErrorRule, Errors
from services.payment.domain.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentAlreadyExistsError,
    PaymentNotFoundError,
    PaymentStateConflictError,
    RefundNotRefusedError,
    TooManyAttemptsError,
)

ERRORS: Errors = MappingProxyType(
    {
        PaymentNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND"),
        PaymentStateConflictError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT"
        ),
        PaymentAlreadyExistsError: ErrorRule(
            grpc.StatusCode.ALREADY_EXISTS, "PAYMENT_ALREADY_EXISTS"
        ),
        AmountExceedsRefundableError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "AMOUNT_EXCEEDS_REFUNDABLE"
        ),
        TooManyAttemptsError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_ATTEMPTS"),
        RefundNotRefusedError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "REFUND_NOT_REFUSED"),
        CurrencyMismatchError: ErrorRule(
            grpc.StatusCode.INVALID_ARGUMENT,
            "CURRENCY_MISMATCH",
            field="amount.currency_code",
        ),
    }
)
