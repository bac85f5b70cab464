"""The tests of what an operator does to a running suite, by the pages of docs/operations."""
