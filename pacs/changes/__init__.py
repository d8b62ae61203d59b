"""What changes in the archive, told to whoever follows it."""
