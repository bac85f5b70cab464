"""Programs that the rows start."""
