"""A run on disk: its directory, state, checkpoints, and the face network that belongs to it."""
