"""The suite as real processes on this machine: Consul, PostgreSQL and the services.

May import scripts.tools, discovery and the generated stubs. Hands out what the replay, the
benchmarks and the tests start: agent, databases, instances, stubs, baskets and items.
"""
