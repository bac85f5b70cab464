"""Consul as a registry: registering with an agent, and watching through it."""
