"""The weights and forms of the objective's terms."""

from dataclasses import dataclass
from typing import Literal

from stargan_tf.base.ranges import NonNegativeFloat, PositiveInt


@dataclass(frozen=True)
class LossConfig:
    """The terms of the objective (paper, section 2.2).

    Args:
        adversarial: form of the adversarial loss; the paper's is `logistic` (non-saturating).
        lambda_reg: weight of R1.
        reg_every: n: R1 is part of D's loss only in every n-th step, with n times the weight (lazy
            regularization, arXiv 1912.04958, appendix B): faster, but not the published training.
        lambda_sty: weight of the style reconstruction.
        lambda_ds: weight of the diversity term at the first step.
        ds_iter: steps over which `lambda_ds` falls linearly to 0.
        lambda_cyc: weight of the cycle consistency.
        differentiable_augmentation: augmentations of every image that the discriminator sees, real or generated: any of
            color, translation and cutout (not in the paper), which help with few images. None by default.
    """

    adversarial: Literal["logistic", "least_squares", "hinge"] = "logistic"
    lambda_reg: NonNegativeFloat = 1.0
    reg_every: PositiveInt = 1
    lambda_sty: NonNegativeFloat = 1.0
    lambda_ds: NonNegativeFloat = 1.0
    ds_iter: PositiveInt = 100_000
    lambda_cyc: NonNegativeFloat = 1.0
    differentiable_augmentation: tuple[Literal["color", "translation", "cutout"], ...] = ()
