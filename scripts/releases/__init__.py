"""Releases: what the last one left, checkouts of other commits, and `./scripts/release`.

May import scripts.suite, scripts.tools and the chassis' store. Hands out the last release and
installations of other commits, to the replay and to the benchmarks.
"""
