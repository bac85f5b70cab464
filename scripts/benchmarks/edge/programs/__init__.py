"""Programs that run as processes of their own: what is called, and who calls it.

May import discovery's load and the chassis. Hands out modules for `python -m`.
"""
