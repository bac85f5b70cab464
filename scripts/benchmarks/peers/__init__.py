"""The same saga on other engines."""
