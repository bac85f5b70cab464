"""The books, live: equations between what several services say, and what is going on now.

Reads feeds and lists page by page, only what is new, whenever an operator looks: in their name, so
the console needs no rights of its own. Hands out balances and counts with their age.
"""
