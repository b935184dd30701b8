"""How the whole does: which processes live, and three assessments of it; for `vton status`, `vton doctor` and any page."""
