"""The order service: the lifecycle of an order, from placed to paid and allocated, or let go.

It owns orders (event-sourced, streams `ord_<uuid>`) and the checkout saga that calls inventory
and payment. RPCs: OrderService (CreateOrder, GetOrder, BatchGetOrders, ListOrders, CancelOrder,
FulfillOrder, WatchOrder, ListOrderEvents, GetCustomerSummary) and SagaAdminService (ListSagas,
GetSaga, RetrySaga). The customer summary follows its own feed and that of payment; choreographed
checkouts follow those of inventory and payment.

Its events: OrderPlaced, StockReserved, PaymentAuthorized, CaptureRequested (the pivot),
OrderConfirmed, CancelRequested, CancellationStarted, OrderRejected, OrderCancelled,
FulfillmentStarted, OrderFulfilled, RefundStarted, OrderRefunded, ReviewRequested, StepRetried.
"""
