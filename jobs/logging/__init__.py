"""Structured logs: their form, and what must never stand in them."""
