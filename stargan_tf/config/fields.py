"""How a field of the configuration, or a section, is marked as one that may change when a run is resumed."""

# The `metadata` of a field: any other would make it another run.
MAY_CHANGE = {"may change on resume": "always"}

# It changes what is learnt from then on, so it must be asked for, and is noted; the weights stay right.
MAY_CHANGE_IF_ASKED = {"may change on resume": "if asked"}
