"""The process in which a plugin model runs, and how the worker speaks with it.

What is in here for the plugin's side imports nothing of the archive.
"""
