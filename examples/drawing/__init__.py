"""Draws the example pictures."""
