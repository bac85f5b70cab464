"""Suites whose databases hold many orders before they are measured.

May import benchmarks.shared, scripts.suite and scripts.tools. Hands out the prefilled suite: a few
orders are placed through the API, and their rows copied by SQL.
"""
