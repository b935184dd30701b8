"""Delivery: approved pictures, made as a channel wants them, under its names, into its store, each once."""
