"""Consumes feeds of other services: an event is delivered at least once, applied exactly once.

It may import `feed`, `work`, `request`, `store`, `telemetry` and `ids`. It hands out
`Subscription`, `ConsumedFeeds` (what a service gives to its server), and servicers for operators.
"""
