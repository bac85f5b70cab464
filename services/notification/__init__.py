"""The notification service: tells customers what became of their orders.

It calls nobody and nobody needs it: it follows the order feed, and writes one notification for
each order and template, whatever is delivered again. RPC: ListNotifications.

Of the order feed it reads OrderPlaced and CancellationStarted, to know what it talks about, and
OrderConfirmed, OrderRejected, OrderCancelled, OrderRefunded and OrderFulfilled, to say it.
"""
