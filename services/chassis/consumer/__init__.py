"""Consuming the feeds of other services, each event applied once."""
