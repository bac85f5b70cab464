"""The notification service: writes to customers about the outcomes of their orders.

It follows the order feed and calls no other service. For each order and template it writes one
notification, even when an event is delivered again. RPC: ListNotifications.

From the order feed it reads OrderPlaced and CancellationStarted, to know the order's customer and
the reason of its end, and OrderConfirmed, OrderRejected, OrderCancelled, OrderRefunded and
OrderFulfilled, which each cause a notification.
"""
