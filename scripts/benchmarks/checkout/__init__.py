"""Checkouts compared with the floor, with other engines, and with fewer stored orders.

May import benchmarks.shared, floor, peers and stored. Hands out the run and report of
`./scripts/bench checkout`.
"""
