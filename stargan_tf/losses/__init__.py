"""Every term of the objective, the objectives made of them, and differentiable augmentation."""
