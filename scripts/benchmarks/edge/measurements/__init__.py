"""The measurements, one file for each kind, and their names.

May import the folder above. Hands out `EDGE_MEASUREMENTS`.
"""
