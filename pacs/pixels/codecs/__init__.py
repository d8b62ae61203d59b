"""One file per codec library."""
