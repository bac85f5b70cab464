"""Client programs that the measurements start as processes of their own.

May import the folder above and `backends`. Hands out the function that starts one, and the
programs: one holds many channels, one registers and deregisters instances.
"""
