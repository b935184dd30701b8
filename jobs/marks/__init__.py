"""Marks of AI origin: found in pictures, written into them, signed, and drawn onto them."""
