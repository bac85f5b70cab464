"""Setting up the checkout: programs, environment, generated code, checks."""
