"""The settings of Adam and of the moving average of the weights."""

from dataclasses import dataclass

from stargan_tf.base.ranges import NonNegativeFloat, PositiveFloat, ShareBelowOne


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam and the moving average of the weights (paper, appendix B).

    Args:
        learning_rate: of generator, style encoder and discriminator.
        mapping_learning_rate: of the mapping network.
        beta_1: decay of Adam's first moment.
        beta_2: decay of Adam's second moment.
        epsilon: added to the bias-corrected root of the second moment.
        l2: weight of the L2 term that is added to the gradient of every parameter before Adam's moments.
        ema_decay: decay of the moving average of generator, mapping network and style encoder.
    """

    learning_rate: PositiveFloat = 1e-4
    mapping_learning_rate: PositiveFloat = 1e-6
    beta_1: ShareBelowOne = 0.0
    beta_2: ShareBelowOne = 0.99
    epsilon: PositiveFloat = 1e-8
    l2: NonNegativeFloat = 1e-4
    ema_decay: ShareBelowOne = 0.999

    def rate_of(self, network: str) -> float:
        """Returns the learning rate of a network by its name; only the mapping network has one of its own."""
        return self.mapping_learning_rate if network == "mapping_network" else self.learning_rate
