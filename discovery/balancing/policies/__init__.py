"""Balancing policies, one file each: a function from candidates to a picker that never awaits.

They import `discovery.balancing.policy`, `slow_start` and each other. To add one, write a file with
a function of the same name and add that name to `NAMES` in `table.py`; service configs can then use
it.
"""
