"""The callers of a rollout, and what is seen of their calls: attempts on the compared instances.

It may import `verdict`, `suite`, and what `replay` places orders with. `order_traffic` runs all.
"""
