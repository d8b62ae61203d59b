"""Small pictures kept beside the archive: a cache, made again from the stored objects at any time."""
