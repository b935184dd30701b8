"""Benchmarks: a stub vendor, baselines, and the frame that sets ours beside them."""
