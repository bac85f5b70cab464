"""A real Consul agent of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.suite.consul import ConsulAgent

__all__ = ["ConsulAgent", "consul_agent"]


@contextmanager
def consul_agent(*, hcl: str = "", tls: bool = False) -> Iterator[ConsulAgent]:
    """A running agent that is stopped with the block. `hcl` is added to its configuration."""
    agent = ConsulAgent(hcl=hcl, tls=tls)
    agent.start()
    try:
        yield agent
    finally:
        agent.kill()
