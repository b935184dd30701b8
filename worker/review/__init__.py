"""Judging together: the contact sheet over HTTP, behind a token; verdicts go to the ledger as they are given."""
