"""Versions of the order service that a rollout must find out.

A program wraps `python -m services.order` from outside; the service has no switch for its faults.
"""
