"""Replays real grocery baskets as orders against a suite that it starts, and checks the books.

May import scripts.suite, scripts.tools and discovery; tests import it. Hands out `./scripts/run`.

order_plan and fault_plan decide, by seed, what is ordered and what breaks. order_placer places the
orders, order_gate admits them in portions, fault_injector breaks the suite in each portion, and
consumer_rewinder rewinds its consumers. auditor and order_watcher read meanwhile. snapshot reads
everything back through the public API, books checks the equations, replay_report prints.
replay_run connects all of these; session starts the suite around a run.
"""
