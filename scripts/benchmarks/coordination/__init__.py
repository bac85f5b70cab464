"""Orchestrated against choreographed checkouts."""
