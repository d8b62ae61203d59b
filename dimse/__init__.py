"""The DIMSE edge: C-ECHO, C-STORE, C-FIND, C-MOVE and C-GET (PS3.4, PS3.7, PS3.8)."""
