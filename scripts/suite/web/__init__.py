"""The web applications of a suite, behind its edge: the shop and the console, and their login.

May import the suite beside it. Hands out what `./scripts/run --stay` and tests start, and the lines
that say what to open.
"""
