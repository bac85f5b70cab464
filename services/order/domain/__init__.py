"""The rules of an order: its steps, states, commands, events and the functions between them.

Imports the standard library and `services.chassis.domain` only. Hands out `decide`, `evolve` and
the values that every other folder of the service uses.
"""
