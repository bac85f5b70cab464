"""Deciding, sending and settling notifications."""
