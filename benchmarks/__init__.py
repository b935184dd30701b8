"""Benchmarks: baselines, and the frame that sets ours beside them."""
