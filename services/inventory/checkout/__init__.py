"""Inventory's part in a choreographed checkout: it reserves and commits because of events.

Imports the writes of `api`, `wire` and the domain. Hands out the handlers of two subscriptions.
"""
