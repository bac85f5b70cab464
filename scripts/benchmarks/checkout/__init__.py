"""Checkouts against the floor and peers."""
