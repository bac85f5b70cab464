"""The payment service: the money of each order, and the ledger.

It authorizes, captures, voids and refunds, never twice, and it finishes every call to the processor
whose outcome is unknown, whether or not a caller asks again. RPCs: AuthorizePayment,
CapturePayment, VoidPayment, RefundPayment, GetPayment, ListPayments, ListLedgerEntries. For
choreographed checkouts it follows inventory (ReservationHeld) and orders (CaptureRequested).

Its events, in the stream of a payment (`pay_<uuid>`): AuthorizationRequested, PaymentAuthorized,
PaymentDeclined, CaptureStarted, PaymentCaptured, CaptureRefused, VoidRequested, PaymentVoided,
AuthorizationExpired, RefundRequested, RefundSucceeded and RefundFailed.
"""
