"""One order as one list of entries, out of six sources: what happened, in the order of time.

Imports the contracts and the wire's texts. Hands out `timeline`, a pure function of what was read.
"""
