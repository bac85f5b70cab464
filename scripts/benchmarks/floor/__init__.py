"""The least a checkout could cost: the same calls and commits, nothing else."""
