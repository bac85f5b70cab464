"""A soak: steady calls through discovery for minutes, while instances and Consul come and go.

May import benchmarks.shared, scripts.suite and the chassis. Hands out the run and report of
`./scripts/bench soak`.
"""
