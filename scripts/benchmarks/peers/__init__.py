"""The checkout saga on other engines: DBOS and Temporal, installed when they are first needed.

May import benchmarks.shared, scripts.suite and scripts.tools. Hands out each engine as a contender.
"""
