"""What is to be read, in which order, and by whom."""
