"""What the archive knows of its objects, kept as a cache that the stored objects can rebuild."""
