"""Money: the bill, and what persons have found out about orders without a clear answer."""
