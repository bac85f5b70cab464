"""One database of one service: a writer, readers, and both dialects."""
