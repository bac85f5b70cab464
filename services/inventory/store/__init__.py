"""The inventory's tables and all SQL on them.

Imports the domain, `wire` (refusals are stored as messages) and the chassis' store. Hands out
functions of a connection that load, list and write domain values.
"""
