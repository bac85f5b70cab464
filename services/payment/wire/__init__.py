"""Converts messages to domain values and back.

Imports the domain, the contracts and the chassis' request checks. Hands out commands and filters
that were validated, replies, log entries of events, and the status of each error.
"""
