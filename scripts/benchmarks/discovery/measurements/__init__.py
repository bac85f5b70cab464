"""One file for each kind of measurement."""
