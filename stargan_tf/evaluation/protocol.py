"""The published evaluation: every validation source in several styles of every other domain (paper, appendix C).

For each ordered pair of domains: the distance between translations of the same source (LPIPS), averaged over sources,
and the distance of all translations from the target's training images (FID and similar metrics).
"""

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.data import records
from stargan_tf.data.images import evenly_spread
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.evaluation.agreement import check_data
from stargan_tf.evaluation.feature_summary import FeatureSummary
from stargan_tf.evaluation.progress import TaskProgress, WorkDirectory
from stargan_tf.evaluation.real_images import RealImages
from stargan_tf.evaluation.settings import ProtocolSettings
from stargan_tf.evaluation.tasks import LatentStyles, ReferenceStyles, Styles, Task, all_tasks
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics.extractors import FeatureExtractor
from stargan_tf.metrics.frechet import FewSamplesWarning, Moments, frechet_distance
from stargan_tf.metrics.identity import identity
from stargan_tf.metrics.kernel import kernel_distance
from stargan_tf.metrics.neighbours import density_coverage, precision_recall
from stargan_tf.metrics.perceptual import PerceptualDistance, mean_pairwise

# Images read at once.
_BLOCK = 64

# Unfinished work of another version is not continued.
_VERSION = 1


class Interrupted(Exception):
    """An evaluation was asked to stop; the next one with the same work directory continues it."""


class Evaluator:
    """Evaluates translators on one data directory.

    Args:
        data: the data directory.
        settings: what is evaluated.
        extractor: of features, for FID and similar metrics.
        distance: between translations of one source.
        fingerprint: of the data, see `records.fingerprint`.
        cache: directory that keeps features of real images; by default they are computed each time.
        save_seconds: time between saves of an unfinished task.

    Raises:
        UserError: settings are wrong, or a domain has too few images.
    """

    def __init__(
        self,
        data: DataDirectory,
        settings: ProtocolSettings,
        extractor: FeatureExtractor,
        distance: PerceptualDistance,
        fingerprint: str,
        cache: Path | None = None,
        save_seconds: float = 60.0,
    ):
        check_data(data, settings)
        self._data, self._settings, self._fingerprint = data, settings, fingerprint
        self._extractor, self._distance, self._save_seconds = extractor, distance, save_seconds
        self._tasks = all_tasks(settings.modes, data.domains)
        self._images = {domain: StoredImages(data, records.split_name("val", domain)) for domain in data.domains}
        self._numbers = {
            domain: evenly_spread(range(len(images)), settings.sources) for domain, images in self._images.items()
        }
        self._reals = RealImages(data, fingerprint, extractor, settings.neighbours, cache)

    def prepare(self) -> None:
        """Computes the features of real images, so that no evaluation waits for them or meets a damaged image."""
        for domain in self._data.domains:
            self._reals.summary(domain)

    def evaluate(
        self, translator: Translator, work: Path | None = None, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Evaluates a translator by the published protocol (paper, section 4 and appendix C).

        Everything that is drawn is drawn from the seed, and translations are rounded to 8 bits as in a file, so that
        the same arguments give the same numbers on the same machine.

        Args:
            translator: the networks.
            work: directory for intermediate results, which evaluations may share; one that was killed continues from
                there. Once the result is saved, `work / result["key"]` may be deleted.
            stop: called regularly; the evaluation stops when it returns true.

        Returns:
            What was evaluated (`step`, `weights`, `data`, `extractor`, `distance`, `settings`), and by mode `tasks` and
            `mean`: of each task and of all on average, `fid`, `kid` and its `kid_deviation` over subsets, `lpips` (mean
            distance of all pairs among the outputs of a source), `precision`, `recall`, `density` and `coverage`, each
            with the numbers of images that it was computed from.

        Raises:
            Interrupted: `stop` returned true.
            UserError: domains differ, an image is damaged, or `work` cannot be written.
        """
        if translator.domains != self._data.domains:
            raise UserError(
                f"the run's domains are {', '.join(translator.domains)} but the data's are "
                f"{', '.join(self._data.domains)}"
            )
        evaluated = self._identity(translator)
        key = hashlib.sha256(json.dumps(evaluated, sort_keys=True).encode()).hexdigest()[:12]
        directory = WorkDirectory(None if work is None else work / key, self._save_seconds)
        settings = self._settings
        styles: dict[str, Styles] = {
            "latent": LatentStyles(translator, settings.outputs, settings.psi, settings.seed),
            "reference": ReferenceStyles(translator, settings.outputs, settings.seed, self._images, self._numbers),
        }
        results: dict[Task, dict[str, Any]] = {}
        total = sum(len(self._numbers[task.source]) for task in self._tasks)
        with Progress(total, "evaluating", "sources", keep=False) as bar:
            for task in self._tasks:
                result = directory.result(task)
                if result is None:
                    generated, distance = self._translate(translator, styles[task.mode], task, directory, bar, stop)
                    result = self._compare(task, generated, distance)
                    directory.finish(task, result)
                else:
                    bar.update(len(self._numbers[task.source]))
                results[task] = result
        whole = evaluated | {"settings": {"modes": list(settings.modes), **evaluated["settings"]}, "key": key}
        for mode in settings.modes:
            whole[mode] = _listed({task: result for task, result in results.items() if task.mode == mode}, self._data)
        return whole

    def untranslated(self) -> dict[str, float]:
        """Measures what a model that does nothing would reach.

        Returns:
            For each pair of domains, by the name of its tasks, the FID of the sources themselves; without those whose
            domain has only one source.

        Raises:
            UserError: an image is damaged.
        """
        moments: dict[str, Moments] = {}
        for domain, numbers in self._numbers.items():
            moments[domain] = Moments.of(self._extractor)
            for start in range(0, len(numbers), _BLOCK):
                moments[domain].add(self._extractor(self._images[domain].read(numbers[start : start + _BLOCK])))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewSamplesWarning)
            return {
                task.name: frechet_distance(self._reals.summary(task.target).moments, moments[task.source])
                for task in self._tasks
                if task.mode == self._tasks[0].mode and moments[task.source].count > 1
            }

    def _identity(self, translator: Translator) -> dict[str, Any]:
        """Returns all that the numbers depend on."""
        settings = dataclasses.asdict(self._settings)
        del settings["modes"]  # each task is the same, whichever others there are
        return {
            "version": _VERSION,
            "step": translator.step,
            "weights": translator.fingerprint,  # a run that rolled back has several of a step
            "data": self._fingerprint,
            "extractor": identity(self._extractor),
            "distance": identity(self._distance),
            "batch_size": translator.batch_size,  # in the last digits
            "settings": settings,
        }

    def _translate(
        self,
        translator: Translator,
        styles: Styles,
        task: Task,
        directory: WorkDirectory,
        bar: Progress,
        stop: Callable[[], bool],
    ) -> tuple[FeatureSummary, float]:
        """Translates the sources of a task; returns a summary of their features, and their mean distance."""
        numbers, outputs = self._numbers[task.source], self._settings.outputs
        progress = directory.progress(task)
        if progress is None:
            words = task.words(self._settings.seed, "sample")
            total = len(numbers) * outputs
            progress = TaskProgress(FeatureSummary(self._extractor, total, self._settings.neighbours, words))
        bar.update(progress.done)
        # A killed evaluation continues at the start of a block, so that it computes the same batches.
        for start in range(progress.done, len(numbers), translator.batch_size):
            if stop():
                directory.save(task, progress, now=True)
                raise Interrupted
            block = numbers[start : start + translator.batch_size]
            translations = translator.translate_all(self._images[task.source].read(block), styles(task, block))
            features, distances = [], []
            for of_source in _in_8_bits(translations).swapaxes(0, 1):  # [outputs, H, W, 3]
                features.append(self._extractor(of_source))
                distances.append(mean_pairwise(self._distance, of_source))
            progress.add(np.concatenate(features), distances)
            directory.save(task, progress)
            bar.update(len(block))
        return progress.generated, progress.distances / len(numbers)

    def _compare(self, task: Task, generated: FeatureSummary, distance: float) -> dict[str, Any]:
        """Compares translations with training images of the target."""
        real = self._reals.summary(task.target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewSamplesWarning)  # the table says it once
            fid = frechet_distance(real.moments, generated.moments)
        kid, deviation = kernel_distance(real.sample, generated.sample, self._settings.seed)
        return {
            "fid": fid,
            "kid": kid,
            "kid_deviation": deviation,
            "lpips": distance,
            **precision_recall(real.sample, generated.sample),
            **density_coverage(real.sample, generated.sample),
            "num_sources": len(self._numbers[task.source]),
            "num_generated": generated.moments.count,
            "num_real": real.moments.count,
        }


def _in_8_bits(images: np.ndarray) -> np.ndarray:
    """Rounds images in [-1, 1] to the values that a file can hold, in place."""
    images += 1
    images *= np.float32(127.5)
    np.round(images, out=images)
    images *= np.float32(1 / 127.5)
    images -= 1
    return images


def _listed(results: dict[Task, dict[str, Any]], data: DataDirectory) -> dict[str, Any]:
    """Lists the results of a mode, in the order of the domains, and their means."""
    order = sorted(results, key=lambda task: (data.domains.index(task.source), data.domains.index(task.target)))
    tasks = {task.name: {"source": task.source, "target": task.target} | results[task] for task in order}
    measures = [name for name in results[order[0]] if not name.startswith("num_")]
    return {
        "tasks": tasks,
        "mean": {name: float(np.mean([results[task][name] for task in order])) for name in measures},
    }
