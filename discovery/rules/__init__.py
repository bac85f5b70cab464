"""Decisions about calls, without I/O: both drivers follow them."""
