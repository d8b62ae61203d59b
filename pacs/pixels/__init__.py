"""Where the pixels of a stored object are."""
