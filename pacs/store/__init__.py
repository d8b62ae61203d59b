"""Where bytes live. Mechanism only: who may move them when is decided elsewhere."""
