"""The port to the party that moves money, and what drives it."""
