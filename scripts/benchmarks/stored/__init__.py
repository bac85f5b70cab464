"""Databases with many stored orders."""
