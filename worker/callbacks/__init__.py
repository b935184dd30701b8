"""Callbacks: the address that HiDream calls, its receiver, and what a body says."""
