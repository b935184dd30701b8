"""Structured logs: their form, the catalogue of events, and what must never stand in them."""
