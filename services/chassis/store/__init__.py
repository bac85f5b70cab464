"""The database of one service, on SQLite or PostgreSQL: one writer thread, a few reader threads.

It may import `discovery.clock` and `telemetry`, nothing else of ours. It hands out `Database`
(`write`, `read`, `migrate`), prepared statements, and the changes that each COMMIT appended.
"""
