"""What many accounts and millions of pairs a night need of Redis: by formula, from constants that `measure` has taken."""
