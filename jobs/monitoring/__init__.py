"""What can be seen from outside: the account and the batches in numbers, for Prometheus and for notices."""
