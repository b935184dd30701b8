"""Collecting: when to ask, what to make of the answer, and the picture on disk."""
