"""The door to HiDream: what is sent, what its answers mean, and who asks."""
