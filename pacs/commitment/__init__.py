"""Storage commitment: what was asked to be kept, whether it is, and who has been told (PS3.4 J)."""
