"""Real processes for run, bench and tests: Consul, PostgreSQL, the services."""
