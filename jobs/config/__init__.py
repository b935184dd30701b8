"""Configuration: the settings, how they are read, and the exit codes."""
