"""What TensorBoard shows of a run: names and descriptions of scalars, the settings as text and as hyperparameters."""
