"""Hands Envoy its configuration over ADS, and follows the registry.

Imports the resources and the registry half of `discovery`. Hands out the servicer, and the watch
that publishes a new snapshot after each change of the registry.
"""
