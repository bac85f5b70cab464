"""Decisions about one method's calls, without I/O; both drivers use them.

A rule may import `errors` and other rules. It hands out frozen values, counters and functions; time
and randomness are arguments.
"""
