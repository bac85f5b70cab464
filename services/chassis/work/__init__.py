"""Pending work of a service: leases that give each unit of work one owner, and its driver.

It may import `store`, `request`, `telemetry` and `ids`. It hands out `Leases`, `Driver`, `Batcher`
and `LatestStates`.
"""
