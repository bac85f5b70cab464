"""Sets up the checkout: programs, virtual environment, generated code; and runs the checks.

Imports nothing of ours, and before setup nothing but the standard library. Hands out
`./scripts/setup`, `generate` and `check`, and the paths of the installed programs.
"""
