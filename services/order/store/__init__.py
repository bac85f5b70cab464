"""The service's tables, its migrations, and the statements on orders and their sagas.

Imports the domain, the wire (stored events and rows are messages) and the chassis. Hands out
functions that run inside the caller's transaction.
"""
