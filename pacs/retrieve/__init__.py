"""ONE WAY OUT: C-MOVE, C-GET, WADO and export choose and open stored objects here."""
