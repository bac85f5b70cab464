"""The event log of a service: appending events, reading them, and waking tasks that wait for them.

It may import `store`, `telemetry` and `ids`. It hands out `EventLog`, for use inside writes and
reads, and `Tailer`, through which tasks wait for events of any instance.
"""
