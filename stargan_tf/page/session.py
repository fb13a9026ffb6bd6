"""What one user of the page sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Chosen:
    """An image that the user chose.

    Args:
        name: of the file.
        data: encoded, for the model.
        preview: what the model sees of it, as PNG.
    """

    name: str
    data: bytes
    preview: bytes


@dataclass(frozen=True)
class Drawn:
    """The source in a style.

    Args:
        name: where in its domain the style is from.
        domain: of the style; "" if it is a mixture.
        code: the style code, [style_dim].
        image: encoded as PNG.
    """

    name: str
    domain: str
    code: np.ndarray
    image: bytes

    @property
    def label(self) -> str:
        """What is written under the image."""
        return f"{self.domain}, {self.name}" if self.domain else self.name


@dataclass(frozen=True)
class Session:
    """What one user of the page sees.

    Args:
        source: the image that is translated.
        reference: the image whose style is offered besides the drawn ones.
        first_seed: of the drawn styles.
        drawn: the source in the reference's style, if there is one, and in the drawn styles.
        shown: the one shown large.
        marked: styles A and B as far as the user chose them.
        position: between A and B, from 0 to 1, if a mixture is shown; else None.
        problems: sentences, by the part of the page that they stand in.
    """

    source: Chosen | None = None
    reference: Chosen | None = None
    first_seed: int = 0
    drawn: tuple[Drawn, ...] = ()
    shown: Drawn | None = None
    marked: tuple[Drawn | None, Drawn | None] = (None, None)
    position: float | None = None
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
