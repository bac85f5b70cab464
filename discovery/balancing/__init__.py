"""Chooses the instance that an attempt goes to: policies, load, ejection, slow start, health.

It may import the rules and `registry.instance`, no driver and no registry. It hands out pickers,
and a record of each instance that the drivers report the ends of attempts to.
"""
