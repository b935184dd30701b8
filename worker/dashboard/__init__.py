"""The dashboard: what goes on, as one page that follows it, and what a person can do about it."""
