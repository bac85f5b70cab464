"""Inventory's part in a choreographed checkout."""
