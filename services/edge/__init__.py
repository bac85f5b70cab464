"""The edge: one Envoy that serves the contracts' public methods to the outside.

Imports the chassis and the policy contract, never a service: what a method is, who may call it and
under which path stands in the descriptors.
"""
