"""Periodic jobs, a file each: what they do, when beat sends them, and the frame that runs one at a time."""
