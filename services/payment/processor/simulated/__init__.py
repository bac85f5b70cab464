"""A processor of our own, for development and tests."""
