"""Who did what to whose data, when, from where, with what outcome."""
