"""The web applications measured: pages at twenty at once, and a thousand followed orders.

Hands out `run_pages`.
"""
