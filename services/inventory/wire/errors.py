"""The gRPC status and reason of each domain error."""

from types import MappingProxyType

import grpc

from services.chassis.server.error_rules import ErrorRule, Errors
from services.inventory.domain.errors import (
    EtagMismatchError,
    ItemNotFoundError,
    ReservationAlreadyExistsError,
    ReservationNotFoundError,
    ReservationOfOrderError,
    ReservationStateConflictError,
    ReturnExceedsFulfilledError,
    StockOverflowError,
    StockWouldGoNegativeError,
)

ERRORS: Errors = MappingProxyType(
    {
        ItemNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND"),
        ReservationNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND"),
        ReservationStateConflictError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_STATE_CONFLICT"
        ),
        ReservationOfOrderError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_OF_ORDER"
        ),
        StockWouldGoNegativeError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "STOCK_WOULD_GO_NEGATIVE"
        ),
        ReturnExceedsFulfilledError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_FULFILLED"
        ),
        EtagMismatchError: ErrorRule(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
        ReservationAlreadyExistsError: ErrorRule(
            grpc.StatusCode.ALREADY_EXISTS, "RESERVATION_ALREADY_EXISTS"
        ),
        StockOverflowError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "STOCK_OVERFLOW"),
    }
)
