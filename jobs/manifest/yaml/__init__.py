"""YAML manifests: a guarded stream of events, the form, then the rows."""
