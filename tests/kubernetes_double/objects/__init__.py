"""What a cluster holds: objects with versions, and the rules that a new one must meet."""
