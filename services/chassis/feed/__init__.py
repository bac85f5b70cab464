"""The event log of a service, served to other services as a feed over gRPC.

It may import `log`, `request`, `store` and `telemetry`. It hands out `Feed` and the servicer of
tradepost.event.v1.EventFeedService; the `consumer` folder is the other end.
"""
