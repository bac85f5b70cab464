"""What a measured process shows of itself: its store, calls, work, consumers and channels.

Imports `consumer` and what is below it. Hands out functions and tasks that the server starts where
metrics are exported; without an exporter nothing here runs.
"""
