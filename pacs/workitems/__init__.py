"""Unified procedure steps (PS3.4 CC): what is to be done, who does it, and who is told how it goes."""
