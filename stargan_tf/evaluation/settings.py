"""What an evaluation by the published protocol consists of."""

from dataclasses import dataclass

from stargan_tf.base.errors import UserError

MODES = ("latent", "reference")

# Nearest neighbours need some.
FEWEST_REAL, FEWEST_GENERATED = 6, 10


@dataclass(frozen=True)
class ProtocolSettings:
    """What is evaluated.

    Args:
        modes: where styles come from: `latent` codes, `reference` images.
        outputs: styles of each source, at least 2.
        sources: validation images taken of each domain, evenly spread, as sources and as references; by default all.
        psi: truncation of styles from latent codes; the published numbers have none, which is 1.
        seed: another seed takes other latent codes and references.
        neighbours: images, real and generated, whose features are kept for kernel distance and nearest neighbours; of
            more, so many are drawn.
    """

    modes: tuple[str, ...] = MODES
    outputs: int = 10
    sources: int | None = None
    psi: float = 1.0
    seed: int = 0
    neighbours: int = 5000

    def check(self) -> None:
        """Checks every value.

        Raises:
            UserError: the first mistake found.
        """
        if not self.modes or len(set(self.modes)) < len(self.modes) or not set(self.modes) <= set(MODES):
            raise UserError(f"modes are {', '.join(self.modes)!r}; they must be different ones of {', '.join(MODES)}")
        sources = 1 if self.sources is None else self.sources
        for name, value, least in (
            ("outputs", self.outputs, 2),
            ("sources", sources, 1),
            ("seed", self.seed, 0),
            ("neighbours", self.neighbours, FEWEST_GENERATED),
        ):
            if value < least:
                raise UserError(f"{name} is {value}; it must be at least {least}")
        if not 0 <= self.psi <= 1:
            raise UserError(f"psi is {self.psi}; it must be between 0 and 1")
