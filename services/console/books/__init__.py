"""The books, live: equations between what several services say, and what is going on now.

Reads feeds and lists page by page whenever an operator looks, what only grows from where the last
look ended: in their name, so the console needs no rights of its own. Hands out balances and counts
with their age.
"""
