"""The payment service's tables and all SQL on them.

Imports the domain, `wire` (events are appended as messages) and the chassis' store. Hands out
functions of a connection: rows of payments and of the ledger, lists, and the writes of requests.
"""
