"""How a field of the configuration is marked as one that may change when a run is resumed."""

# The `metadata` of such a field: any other would make it another run.
MAY_CHANGE = {"may change on resume": True}
