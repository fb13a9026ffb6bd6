"""The published evaluation of a translator."""
