"""Who is there: registries, targets, and the list of instances they resolve to."""
