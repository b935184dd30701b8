"""What `vton run` starts on one machine: a Redis of its own and the worker processes."""
