"""A real Consul agent for one test."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.suite.consul import ConsulAgent

__all__ = ["ConsulAgent", "consul_agent"]


@contextmanager
def consul_agent(*, hcl: str = "", tls: bool = False) -> Iterator[ConsulAgent]:
    """Run an agent until the end of the block. `hcl` is added to its configuration."""
    agent = ConsulAgent(hcl=hcl, tls=tls)
    agent.start()
    try:
        yield agent
    finally:
        agent.kill()
