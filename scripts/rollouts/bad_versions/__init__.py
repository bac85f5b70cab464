"""Versions of the order service that a rollout must find out, each a program of its own.

`python -m scripts.rollouts.bad_versions.failing` wraps `python -m services.order` from outside; the
service has no switch for its faults.
"""
