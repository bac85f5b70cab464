"""The customer summary: a read model built from two feeds."""
