"""Buying: permit, body, intent, POST, and what the answer means."""
