"""Errors of inventory; where one is raised, nothing is changed or stored.

    InventoryError
      ask for something that exists   ItemNotFoundError, ReservationNotFoundError
      read it first                   ReservationStateConflictError, ReservationAlreadyExistsError,
                                      EtagMismatchError
      ask the order service           ReservationOfOrderError
      adjust or return less           StockWouldGoNegativeError, StockOverflowError,
                                      ReturnExceedsFulfilledError

Refusals that are stored (a shortage, a changed price) are not errors: see `state.Refusal`.
"""

from collections.abc import Mapping

from services.chassis.domain.precondition import Precondition


class InventoryError(Exception):
    """An error with its facts by name."""

    precondition_violations: tuple[Precondition, ...] = ()

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.facts: Mapping[str, str] = facts


class ItemNotFoundError(InventoryError):
    """There is no item with this SKU."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"there is no item {sku}", sku=sku)


class ReservationNotFoundError(InventoryError):
    """There is no reservation with this id."""

    def __init__(self, reservation_id: str) -> None:
        super().__init__(f"there is no reservation {reservation_id}", reservation_id=reservation_id)


class ReservationStateConflictError(InventoryError):
    """The reservation's state does not allow what was asked."""

    def __init__(self, reservation_id: str, *, state: str, wanted: str) -> None:
        message = f"{reservation_id} is {state} and cannot become {wanted}"
        super().__init__(message, reservation_id=reservation_id, state=state, wanted=wanted)
        self.precondition_violations = (Precondition("STATE", reservation_id, message),)


class ReservationOfOrderError(InventoryError):
    """The units are committed to an order, and somebody else than the order wants to release them.

    `instead` is the method that cancels the order and releases its units.
    """

    def __init__(self, reservation_id: str, *, order_id: str) -> None:
        instead = "tradepost.order.v1.OrderService/CancelOrder"
        message = f"{reservation_id} is committed to {order_id}: call {instead}"
        super().__init__(message, reservation_id=reservation_id, order_id=order_id, instead=instead)
        self.precondition_violations = (Precondition("ORDER", order_id, message),)


class ReservationAlreadyExistsError(InventoryError):
    """Another request made a reservation under this id."""

    def __init__(self, reservation_id: str, *, state: str) -> None:
        super().__init__(
            f"{reservation_id} was made by another request and is {state}",
            reservation_id=reservation_id,
            state=state,
        )


class EtagMismatchError(InventoryError):
    """The item does not have the expected etag; an expected "" means that it must not exist."""

    def __init__(self, sku: str, *, expected: str, actual: str) -> None:
        message = f"{sku} has etag {actual!r}, not {expected!r}"
        super().__init__(message, sku=sku, expected=expected, actual=actual)


class StockWouldGoNegativeError(InventoryError):
    """Fewer units would be on hand than are held and committed."""

    def __init__(self, sku: str, *, on_hand: int, reserved: int, delta: int) -> None:
        message = f"{sku} has {on_hand} on hand and {reserved} reserved; {delta} is too many"
        super().__init__(
            message,
            sku=sku,
            on_hand=str(on_hand),
            reserved=str(reserved),
            delta=str(delta),
        )
        self.precondition_violations = (Precondition("STOCK", sku, message),)


class ReturnExceedsFulfilledError(InventoryError):
    """More units would come back than have left and have not come back yet."""

    def __init__(self, reservation_id: str, sku: str, *, requested: int, returnable: int) -> None:
        message = f"{requested} of {sku} cannot come back to {reservation_id}: {returnable} can"
        super().__init__(
            message,
            reservation_id=reservation_id,
            sku=sku,
            requested=str(requested),
            returnable=str(returnable),
        )
        self.precondition_violations = (Precondition("QUANTITY", reservation_id, message),)


class StockOverflowError(InventoryError):
    """The stock level would not fit into 64 bits."""

    def __init__(self, sku: str, *, on_hand: int, delta: int) -> None:
        super().__init__(
            f"{sku} has {on_hand} on hand; {delta} more do not fit into 64 bits",
            sku=sku,
            on_hand=str(on_hand),
            delta=str(delta),
        )
