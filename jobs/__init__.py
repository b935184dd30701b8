"""What is to be done: manifests, plans, the ledger, the queue, results and the command line."""
