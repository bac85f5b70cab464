"""Balancing policies: each is a function from candidates to a picker that never awaits."""
