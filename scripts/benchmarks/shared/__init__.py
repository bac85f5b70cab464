"""What all benchmarks need."""
