"""Flags: what a computer sees in a result picture that a person should look at first. They never buy, reject or delete."""
