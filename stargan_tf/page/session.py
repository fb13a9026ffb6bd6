"""What one user of the page sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import numpy as np

from stargan_tf.inference import provenance


def spoken(domain: str) -> str:
    """Returns the name of a domain as it is read."""
    return domain.replace("_", " ")


@dataclass(frozen=True)
class Chosen:
    """An image that the user chose.

    Args:
        name: of the file.
        data: encoded, for the model.
        sha256: of the file.
        preview: what the model sees of it, as PNG.
        shown: path of what the page shows of it.
    """

    name: str
    data: bytes
    sha256: str
    preview: bytes
    shown: str


@dataclass(frozen=True)
class Drawn:
    """The source in a style.

    Args:
        name: where in its domain the style is from.
        domain: of the style; of a mixture that of the larger part.
        code: the style code, [style_dim].
        image: encoded as PNG.
        styles: what the style was made of, as `provenance.style` tells it; of a mixture several, each with its share.
    """

    name: str
    domain: str
    code: np.ndarray
    image: bytes
    styles: tuple[provenance.Style, ...]

    @property
    def label(self) -> str:
        """What is written under the image."""
        return self.name if self.is_mixture else f"{spoken(self.domain)}, {self.name}"

    @property
    def is_mixture(self) -> bool:
        """Whether it lies between two styles, or at one of them."""
        return "share" in self.styles[0]


@dataclass(frozen=True)
class Session:
    """What one user of the page sees.

    Args:
        source: the image that is translated.
        reference: the image whose style is offered besides the drawn ones.
        domain: in whose styles the source is drawn.
        domain_is_chosen: whether the user or a link chose it.
        first_seed: of the drawn styles.
        psi: truncation of the drawn styles.
        all_domains: whether one style of every domain is drawn, instead of styles of one domain.
        drawn: the source in the reference's style, if there is one, and in the drawn styles.
        shown: the one shown large.
        marked: styles A and B as far as the user chose them.
        position: between A and B, from 0 to 1, if a mixture is shown; else None.
        animation: path of an animation from A to B.
        problems: sentences, by the part of the page that they stand in.
    """

    source: Chosen | None = None
    reference: Chosen | None = None
    domain: str = ""
    domain_is_chosen: bool = False
    first_seed: int = 0
    psi: float = 1.0
    all_domains: bool = False
    drawn: tuple[Drawn, ...] = ()
    shown: Drawn | None = None
    marked: tuple[Drawn | None, Drawn | None] = (None, None)
    position: float | None = None
    animation: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    def solved(self) -> "Session":
        """Returns the session after something worked: only files that could not be taken remain a problem."""
        files = {"source": self.source, "reference": self.reference}
        return replace(
            self, problems={name: text for name, text in self.problems.items() if files.get(name, self) is None}
        )

    def failed(self, part: str, problem: str) -> "Session":
        """Returns the session with a problem in a part of the page."""
        solved = self.solved()
        return replace(solved, problems={**solved.problems, part: problem})

    @property
    def ends(self) -> tuple[Drawn, Drawn]:
        """Styles A and B; those that the user did not choose are the first drawn that are not the other one."""
        chosen = {style.label for style in self.marked if style is not None}
        others = (style for style in self.drawn if style.label not in chosen)
        start, end = self.marked
        return start or next(others), end or next(others)

    @property
    def query(self) -> str:
        """The settings as they stand in a link; the seed is that of the style shown, if it was drawn."""
        seed = self.first_seed if self.shown is None else self.shown.styles[0].get("seed", self.first_seed)
        return "?" + urlencode({"domain": self.domain, "seed": seed, "psi": f"{self.psi:g}"})
