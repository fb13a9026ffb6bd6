"""What TFX orchestrates: the stages as its components, their wiring, and the metadata store."""
