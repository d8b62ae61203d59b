"""Who asks (actors, tokens, stations) and what they may do (policy)."""
