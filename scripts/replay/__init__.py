"""Replays real grocery baskets as orders against a suite that it starts, and checks the books.

May import scripts.suite, scripts.tools and discovery; tests import it. Hands out `./scripts/run`.

order_plan decides, by seed, what is ordered. order_placer places the orders, some of them by
rest_orders at the edge; order_gate admits them in portions, and faults break the suite in each
portion. auditor and order_watcher read meanwhile. books reads everything back through the public
API and checks the equations, replay_report prints. replay_run connects all of these; session starts
the suite around a run.
"""
