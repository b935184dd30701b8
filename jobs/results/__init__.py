"""Results: a batch's files, a projection of the ledger that can be made anew at any time."""
