"""Orchestrated and choreographed checkouts, compared within one suite.

May import benchmarks.shared, scripts.suite and the chassis' settings for feeds. Hands out the run
and report of `./scripts/bench coordination`.
"""
