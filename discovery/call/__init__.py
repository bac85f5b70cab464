"""One call: its state, its method, its metadata, its messages as bytes, and how it ended."""
