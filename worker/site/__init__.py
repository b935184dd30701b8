"""What every served site has: who may enter, the page that asks for the token, and the headers of its answers."""
