"""The inventory service: items with their list prices, stock levels, and reservations.

It owns the stock and never sells a unit twice. RPCs: UpsertItems, ListItems,
AdjustStock, GetStock, BatchGetStock, ListStock, ReserveStock, CommitReservation,
ReleaseReservation, FulfillReservation, GetReservation, ListReservations, ListStockMovements. For
choreographed checkouts it follows orders (OrderPlaced) and payment (PaymentAuthorized).

Its events: ItemUpserted and StockAdjusted in the stream of an item (`itm_<sku>`);
ReservationHeld, ReservationRejected, ReservationCommitted, ReservationReleased,
ReservationExpired and ReservationFulfilled in the stream of a reservation (`rsv_<uuid>`).
"""
