"""One module per bench; each has `run(options)`."""
