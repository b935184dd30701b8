"""A stand-in for HiDream on loopback: replies, limits, pictures, faults, and a ledger that cannot lie.

It shares no code with the client that it tests: what both know, they know from the vendor's documentation.
"""
