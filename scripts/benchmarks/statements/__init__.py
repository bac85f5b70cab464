"""How many statements, round trips and commits an order takes, counted outside of the services.

May import benchmarks.shared. Hands out the turns in which a suite's statements are counted, and
their table; nothing of it runs in a measured turn.
"""
