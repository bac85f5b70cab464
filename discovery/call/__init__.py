"""One call, as both drivers see it: its state, metadata and messages, and how a stack is built.

May import `balancing`, `config`, `registry` and `rules`; never a driver or `telemetry`. Hands out
`CallState`, the types `Send` and `Layer`, the layers that both drivers share, and hedging's rules.
"""
