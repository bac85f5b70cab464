"""Retention: archives what ended long ago, and removes it from the database in small batches.

It may import `feed`, `work`, `log`, `request` and `store`. It hands out settings, the worker, and
the reader of archives; a service says which of its aggregates are due, and which rows they own.
"""
