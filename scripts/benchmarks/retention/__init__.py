"""What an order leaves in the databases, and what is left of it with a retention.

May import benchmarks.shared, scripts.suite and scripts.tools. Hands out the run and the report of
`./scripts/bench retention`.
"""
