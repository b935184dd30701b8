"""Who does it: gate, submission, watcher, collection and the doors to HiDream."""
