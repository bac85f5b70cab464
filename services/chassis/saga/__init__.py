"""Sagas: their model, and the runner that carries them out."""
