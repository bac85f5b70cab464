"""The event log served to others as a feed."""
