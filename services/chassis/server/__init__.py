"""A server's day: assembly, health, registration, draining."""
