"""The SavedModel for TF Serving, and the ways to reach it."""
