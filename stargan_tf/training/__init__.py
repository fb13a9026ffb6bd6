"""Training: the four updates of an iteration, the loop, and in `hooks/` what happens beside it."""
