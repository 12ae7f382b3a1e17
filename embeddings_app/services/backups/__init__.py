"""A backup is a directory: every table, the model folders, and a manifest with the hash of each file."""
