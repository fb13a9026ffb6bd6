"""How models are measured: by the published protocol, by known factors, and on photographs."""

from dataclasses import dataclass

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share, TenOrMore, TwoOrMore

# Of the published protocol; that of the generated data set; and that of photographs, which is done only if it is named.
MODES = ("latent", "reference")
ALL_MODES = (*MODES, "known_factors", "photographs")

# The fewest images among which nearest neighbours can be found; the second is also the least of `neighbours`.
FEWEST_REAL, FEWEST_GENERATED = 6, 10


@dataclass(frozen=True)
class EvaluationSettings:
    """The samples of an evaluation.

    Args:
        outputs: styles that each source is translated in by the published protocol.
        sources: validation images taken of each domain, evenly spread; by default all, and 50 where factors are known.
        psi: truncation of styles from latent codes; the published numbers have none, which is 1.
        seed: of latent codes and of the choice of references.
        neighbours: images of a task, real and generated, whose features are kept for KID and the nearest-neighbour
            metrics; of more, so many are drawn.
    """

    outputs: TwoOrMore = 10
    sources: PositiveInt | None = None
    psi: Share = 1.0
    seed: NonNegativeInt = 0
    neighbours: TenOrMore = 5000


@dataclass(frozen=True)
class ProtocolSettings(EvaluationSettings):
    """An evaluation by the published protocol.

    Args:
        modes: where styles come from: `latent` codes, `reference` images.
    """

    modes: tuple[str, ...] = MODES

    def check(self) -> None:
        """Checks every value.

        Raises:
            UserError: the first mistake found.
        """
        check_ranges(self)
        if not self.modes or len(set(self.modes)) < len(self.modes) or not set(self.modes) <= set(MODES):
            raise UserError(f"modes are {', '.join(self.modes)!r}; they must be different ones of {', '.join(MODES)}")


@dataclass(frozen=True)
class Measurement(EvaluationSettings):
    """How a model is measured, in full.

    Args:
        extractor: network whose features FID, KID and the nearest-neighbour metrics compare: classifier (trained on the
            data, offline), inception (downloaded once), inception:WEIGHTS_FILE, or FILE.onnx.
        distance: perceptual distance between outputs of one source: classifier, or FILE.onnx:LINEAR_WEIGHTS.npz for
            LPIPS.
        styles: latent codes, and references, tried for each source and target where factors are known, and of
            photographs.
        batch_size: images translated at once.
        deterministic: whether operations give the same bits every time on GPUs as well; somewhat slower there.
    """

    extractor: str = "classifier"
    distance: str = "classifier"
    styles: TwoOrMore = 5
    batch_size: PositiveInt = 16
    deterministic: bool = True

    def protocol(self, modes: tuple[str, ...]) -> ProtocolSettings:
        """Returns the settings of the part that follows the published protocol."""
        return ProtocolSettings(self.outputs, self.sources, self.psi, self.seed, self.neighbours, modes)
