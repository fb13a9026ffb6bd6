"""What translations of photographs are worth, measured without downloads and beside what needs no network at all.

The ground of photographs often gives the domain away, and near-duplicates stand on both sides of a split. So the judge
sees the object on uniform grey, its accuracy on the ground alone stands beside it, and validation images that training
knows are left out. Two baselines are measured like the translations: the source unchanged, and the training image of
the target domain that is nearest to the source. A translator that does not beat both where they are bad has learnt
nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.data import records
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.evaluation import photograph_set
from stargan_tf.evaluation.failures import Failures
from stargan_tf.evaluation.photograph_measures import PhotographMeasures
from stargan_tf.evaluation.photograph_set import PhotographSet
from stargan_tf.evaluation.settings import FEWEST_GENERATED
from stargan_tf.evaluation.tasks import LatentStyles, ReferenceStyles, Styles, Task, all_tasks
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import classifier, judge, silhouettes, unlabelled

GUIDES = ("latent", "reference")
# Share of the real images with a plain ground from which on silhouettes are measured.
PLAIN_SHARE = 0.8


class PhotographEvaluation:
    """Measures translators on the photographs of one data directory.

    Args:
        data: the data directory.
        fingerprint: of the data, see `records.fingerprint`.
        cache: directory that keeps the networks that measure.
        sources: validation images of each domain that are measured at most; by default all that are not left out.
        styles: latent codes, and references, for each source and target.
        seed: of latent codes and of the choice of references.
        plain_ground: whether each photograph shows one object before a plain ground, whose silhouette can be measured;
            by default as it is found on the real images.
        judge_settings: how the judge is built and trained.
        autoencoder_settings: how the autoencoder is.

    Raises:
        UserError: the data cannot be read, or leaves too few validation images.
    """

    def __init__(
        self,
        data: DataDirectory,
        fingerprint: str,
        cache: Path,
        sources: int | None = None,
        styles: int = 5,
        seed: int = 0,
        plain_ground: bool | None = None,
        judge_settings: classifier.Settings = judge.DEFAULTS,
        autoencoder_settings: unlabelled.Settings = unlabelled.DEFAULTS,
    ):
        self._data, self._styles, self._seed = data, styles, seed
        for domain in data.domains:
            for subset in records.SUBSETS:
                if not data.num_examples.get(records.split_name(subset, domain), 0):
                    raise UserError(f"{data.path} has no images in split {records.split_name(subset, domain)!r}")
        self._set = photograph_set.read(data, sources)
        self._count = len(next(iter(self._set.val.values())))
        if self._count < FEWEST_GENERATED:
            left_out = ", ".join(f"{count} of {domain}" for domain, count in self._set.left_out.items())
            raise UserError(
                f"{self._count} validation images of each domain are too few to measure by; there must be at least "
                f"{FEWEST_GENERATED}, besides those that have a near-duplicate in training ({left_out})"
            )
        self._plain_share = _share_with_plain_ground(self._set)
        has_silhouettes = self._plain_share >= PLAIN_SHARE if plain_ground is None else plain_ground
        self._measures = PhotographMeasures(
            self._set, fingerprint, cache, has_silhouettes, judge_settings, autoencoder_settings
        )

    def evaluate(self, translator: Translator) -> tuple[dict[str, Any], Failures]:
        """Measures a translator; the same arguments give the same numbers on the same machine.

        Args:
            translator: the networks.

        Returns:
            The result, values that JSON has, and the worst translations. The result has `set` (`sources` of each domain
            and what was `left_out`), `plain_ground` (`share` of real images that have one, and whether silhouettes were
            `used`), `judge` (`accuracy` and `ground_accuracy` by domain, `hash`), `autoencoder` (`hash`), `settings`,
            and by column (`latent`, `reference`, `source`, `nearest`, `real`) `tasks`, by direction, and their `mean`:
            see `PhotographMeasures`.

        Raises:
            UserError: an image is damaged, or the translations are not finite.
        """
        tasks = all_tasks(GUIDES, self._data.domains)
        stored = {domain: StoredImages(self._data, records.split_name("val", domain)) for domain in self._data.domains}
        styles: dict[str, Styles] = {
            "latent": LatentStyles(translator, self._styles, 1.0, self._seed),
            "reference": ReferenceStyles(translator, self._styles, self._seed, stored, self._set.numbers),
        }
        columns: dict[str, dict[str, dict[str, float]]] = {}
        failures = Failures(self._measures.has_silhouettes)
        with Progress(len(tasks) * self._count, "measuring photographs", "sources", keep=False) as bar:
            for task in tasks:
                if task.mode == "latent":  # once for each direction
                    for column, baseline in self._baselines(task).items():
                        measured, _ = self._measures.measure(task, baseline, with_diversity=column == "real")
                        columns.setdefault(column, {})[task.name] = measured
                numbers, outputs = self._set.numbers[task.source], []
                for start in range(0, self._count, translator.batch_size):
                    block = numbers[start : start + translator.batch_size]
                    translated = translator.translate_all(
                        stored[task.source].read(block), styles[task.mode](task, block)
                    )
                    outputs.append(np.stack([photograph_set.reduced(_finite(of_style)) for of_style in translated]))
                    bar.update(len(block))
                whole = np.concatenate(outputs, axis=1)  # [styles, N, H, W, 3]
                measured, details = self._measures.measure(task, whole, with_diversity=True)
                columns.setdefault(task.mode, {})[task.name] = measured
                failures.add(task, self._set.val[task.source], whole, details, self._references(task))
        return self._described(translator) | {
            column: {"tasks": of_tasks, "mean": _mean(of_tasks)}
            for column, of_tasks in sorted(columns.items(), key=lambda item: _ORDER.index(item[0]))
        }, failures

    def _baselines(self, task: Task) -> dict[str, np.ndarray]:
        """Returns what is measured beside the translations, [1, N, H, W, 3] each."""
        sources, real = self._set.val[task.source], self._set.val[task.target]
        return {
            "source": sources[None],
            "nearest": self._measures.nearest_training_images(sources, task.target)[None],
            "real": real[None],
        }

    def _references(self, task: Task) -> np.ndarray | None:
        """Returns the reference of each translation, [styles, N, H, W, 3]; None where styles are drawn."""
        if task.mode == "latent":
            return None
        chosen = ReferenceStyles.choose(task, self._set.numbers[task.source], self._count, self._styles, self._seed)
        return self._set.val[task.target][chosen]

    def _described(self, translator: Translator) -> dict[str, Any]:
        measures = self._measures
        return {
            "step": translator.step,
            "weights": translator.fingerprint,
            "domains": list(self._data.domains),
            "set": {"sources": self._count, "left_out": dict(self._set.left_out)},
            "plain_ground": {"share": self._plain_share, "used": measures.has_silhouettes},
            "judge": measures.judge_facts,
            "autoencoder": {"hash": measures.autoencoder_hash},
            "settings": {"styles": self._styles, "seed": self._seed},
        }


_ORDER = (*GUIDES, "source", "nearest", "real")


def _share_with_plain_ground(photographs: PhotographSet) -> float:
    """Looks at the measured images: enough to tell, and far fewer than those of training."""
    return float(np.mean([silhouettes.find(images)[1].mean() for images in photographs.val.values()]))


def _mean(tasks: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Returns the mean of each measure over the directions, and the least of those that have a target in each."""
    first = next(iter(tasks.values()))
    mean = {name: float(np.mean([measured[name] for measured in tasks.values()])) for name in first}
    for name in ("judge", "silhouette"):
        if name in mean:
            mean[f"worst_{name}"] = min(measured[name] for measured in tasks.values())
    return mean


def _finite(images: np.ndarray) -> np.ndarray:
    if not np.isfinite(images).all():
        raise UserError("translations are not finite; the run has diverged")
    return images
