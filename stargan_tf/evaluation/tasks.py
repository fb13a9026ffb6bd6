"""The tasks of an evaluation, and the styles that each source is translated in."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stargan_tf.base.errors import UserError

if TYPE_CHECKING:
    from stargan_tf.data.stored_images import StoredImages
    from stargan_tf.inference.translator import Translator

# Reference images read at once.
_BLOCK = 64


@dataclass(frozen=True)
class Task:
    """Translation of the sources of one domain into another.

    Args:
        mode: where styles come from, "latent" or "reference".
        source: name of the sources' domain.
        target: name of the domain that they are translated into.
    """

    mode: str
    source: str
    target: str

    @property
    def name(self) -> str:
        """Name under which results are listed."""
        return f"{self.source}2{self.target}"

    def words(self, seed: int, purpose: str, number: int = 0) -> list[int]:
        """Returns the words of a seed that nothing else in an evaluation uses."""
        return [seed, number, *f"{purpose} {self.mode} {self.source}\n{self.target}".encode()]


def all_tasks(modes: Sequence[str], domains: Sequence[str]) -> list[Task]:
    """Lists all tasks, every mode for each ordered pair of domains; tasks with the same target are adjacent.

    Raises:
        UserError: two of them would have the same name.
    """
    pairs = [(source, target) for target, source in itertools.permutations(domains, 2)]
    tasks = [Task(mode, source, target) for source, target in pairs for mode in modes]
    if len({task.name for task in tasks}) < len(pairs):
        raise UserError(f"domains {', '.join(domains)} give tasks of the same name; rename one of them")
    return tasks


class Styles(Protocol):
    """The styles that sources are translated in."""

    def __call__(self, task: Task, numbers: Sequence[int]) -> np.ndarray:
        """Returns style codes [outputs, N, style_dim] for N sources of a task, given by index.

        The codes of a source depend on the seed, the task and that source alone, not on earlier calls.
        """


class LatentStyles:
    """Styles of latent codes, drawn separately for each source.

    Args:
        translator: maps them.
        outputs: styles of each source.
        psi: truncation.
        seed: of the latent codes.
    """

    def __init__(self, translator: "Translator", outputs: int, psi: float, seed: int):
        self._translator, self._outputs, self._psi, self._seed = translator, outputs, psi, seed

    def __call__(self, task: Task, numbers: Sequence[int]) -> np.ndarray:
        """See `Styles`."""
        shape = (self._outputs, self._translator.latent_dim)
        latents = np.stack(
            [
                np.random.default_rng(task.words(self._seed, "latents", number)).standard_normal(shape, np.float32)
                for number in numbers
            ],
            axis=1,
        )
        styles = self._translator.styles_from_latents(latents.reshape(-1, shape[1]), task.target, self._psi)
        return styles.reshape(*latents.shape[:2], -1)


class ReferenceStyles:
    """Styles of validation images of the target, chosen separately for each source.

    Args:
        translator: encodes the styles.
        outputs: styles per source; if a domain has fewer references, some are used more than once.
        seed: of the choice.
        images: validation images by domain.
        numbers: indices of those that serve as references, by domain.
    """

    def __init__(
        self,
        translator: "Translator",
        outputs: int,
        seed: int,
        images: Mapping[str, "StoredImages"],
        numbers: Mapping[str, Sequence[int]],
    ):
        self._translator, self._outputs, self._seed = translator, outputs, seed
        self._images, self._numbers = images, numbers
        self._target: str | None = None
        self._styles = np.zeros((0, translator.style_dim), np.float32)

    def __call__(self, task: Task, numbers: Sequence[int]) -> np.ndarray:
        """See `Styles`."""
        if task.target != self._target:
            self._styles, self._target = self._styles_of_references(task.target), task.target
        return self._styles[self.choose(task, numbers, len(self._styles), self._outputs, self._seed)]

    @staticmethod
    def choose(task: Task, numbers: Sequence[int], count: int, outputs: int, seed: int) -> np.ndarray:
        """Chooses `outputs` of `count` references for N sources of a task; returns their positions, [outputs, N]."""
        chosen = [
            np.random.default_rng(task.words(seed, "references", number)).choice(
                count, outputs, replace=count < outputs
            )
            for number in numbers
        ]
        return np.stack(chosen, axis=1)

    def _styles_of_references(self, domain: str) -> np.ndarray:
        """Encodes each reference once, though many sources use it."""
        numbers = self._numbers[domain]
        parts = [numbers[start : start + _BLOCK] for start in range(0, len(numbers), _BLOCK)]
        images = self._images[domain]
        return np.concatenate([self._translator.styles_from_references(images.read(part), domain) for part in parts])
