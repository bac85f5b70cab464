"""The checkout, orchestrated and choreographed."""
