"""The stub vendor: HiDream at next to no CPU, with a ledger of its own."""
