"""Consul as a registry: registers instances with an agent and watches services through it.

It may import `registry.protocols`, `registry.instance` and `clock`. It hands out `ConsulRegistry`,
with `AgentAddress` (read from the environment) and `CheckSettings` to configure it, and
`ConsulTraffic`, which shifts calls between instances.
"""
