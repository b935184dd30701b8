"""From a manifest to the queue: what a row asks for, and how it gets into the ledger."""
