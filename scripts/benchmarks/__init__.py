"""Benchmarks of the services and of `discovery`, each next to a baseline in the same minutes.

May import scripts.suite and scripts.tools, the chassis and discovery; no other code imports it.
Hands out the command `./scripts/bench`: `checkout`, `coordination`, `discovery`, `edge` and
`soak`, a folder each.
"""
