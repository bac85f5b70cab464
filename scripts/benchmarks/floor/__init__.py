"""The floor of a checkout: processes that make its calls and durable commits, and nothing else.

May import benchmarks.shared, scripts.suite and the chassis' locks. Hands out the floor as a
contender: no implementation of a checkout can be faster.
"""
