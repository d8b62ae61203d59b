"""Things to try with the archive."""
