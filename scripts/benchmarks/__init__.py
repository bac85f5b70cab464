"""Benchmarks of the services and of `discovery`, each beside a baseline in the same minutes.

May import scripts.suite and scripts.tools, the chassis and discovery; nobody imports it. Hands out
the command `./scripts/bench`: `checkout`, `coordination`, `soak` and `discovery`, a folder each.
"""
