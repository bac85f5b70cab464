"""Rules of items, stock levels and reservations, without I/O.

Imports the standard library and the chassis' shared values. Hands out the state, commands, events
and errors of both aggregates, the functions that decide and evolve them, and read filters.
"""
