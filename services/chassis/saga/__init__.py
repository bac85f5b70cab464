"""Sagas: the model of their steps and plans, and the runner that carries them out.

Imports the store, leased work and telemetry. Knows no business: a service hands in its saga as
steps with actions, and the runner hands back each state that it has committed.
"""
