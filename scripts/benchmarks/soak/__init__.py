"""Steady calls for minutes while instances come and go."""
