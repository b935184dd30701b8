"""What a competent engineer writes in an afternoon with each of the usual tools."""
