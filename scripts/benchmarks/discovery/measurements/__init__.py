"""The measurements of `./scripts/bench discovery`, one file for each kind.

May import the folder above, `programs` and benchmarks.shared. Hands out functions that measure and
return rows, by the names in by_name.
"""
