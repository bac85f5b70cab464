"""`./scripts/new-service`: makes a service from `scripts/new_service/template`, and checks it.

May import scripts.tools, discovery and the chassis. Hands out the command alone.
"""
