"""Protobuf messages to domain values and back, and exceptions to statuses.

May import `domain` and the store's filters. Hands out functions to `api` (requests and replies)
and to `sending` (events of the order feed).
"""
