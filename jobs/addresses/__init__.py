"""Whether the pictures of a manifest are at their addresses: each is asked for once, politely, before anything is bought."""
