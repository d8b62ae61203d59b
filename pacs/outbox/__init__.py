"""What happened, told once: events written in the transaction that made them true."""
