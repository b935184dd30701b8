"""The way to Redis: its address, bounded and patient connections, foreign errors translated."""
