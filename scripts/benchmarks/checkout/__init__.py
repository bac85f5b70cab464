"""Checkouts compared with the floor, other engines, fewer stored orders, and another revision.

May import benchmarks.shared, floor, peers, statements and stored, and scripts.suite. Hands out
the run and report of `./scripts/bench checkout`.
"""
