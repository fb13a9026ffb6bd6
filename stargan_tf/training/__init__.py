"""Training: state, the four updates of an iteration, the loop, TensorBoard."""
