"""Rebuilding read models beside the live ones."""
