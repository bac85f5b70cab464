"""Envoy's configuration as typed xDS: a pure function of the registry, the contract and settings.

Imports the contract's public methods and the settings of the edge. Hands out `resources`.
"""
