"""The payment service: the money of each order, and the ledger.

It sets money aside, takes it, lets it go and gives it back, never twice, and finishes every
intent whose outcome is unknown whether or not anybody asks again. RPCs: AuthorizePayment,
CapturePayment, VoidPayment, RefundPayment, GetPayment, ListPayments, ListLedgerEntries. For
choreographed checkouts it follows inventory (ReservationHeld) and orders (CaptureRequested).

Its events, in the stream of a payment (`pay_<uuid>`): AuthorizationRequested, PaymentAuthorized,
PaymentDeclined, CaptureStarted, PaymentCaptured, CaptureRefused, VoidRequested, PaymentVoided,
AuthorizationExpired, RefundRequested, RefundSucceeded and RefundFailed.
"""
