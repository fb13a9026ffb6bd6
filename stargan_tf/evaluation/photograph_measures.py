"""The measures of translated photographs, each of all translations of one direction."""

from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.data import scaling
from stargan_tf.data.images import evenly_spread
from stargan_tf.evaluation.photograph_set import PhotographSet, copies, looks_of
from stargan_tf.evaluation.tasks import Task
from stargan_tf.metrics import classifier, judge, nearest_images, silhouettes, unlabelled
from stargan_tf.metrics.block_features import BlockDistance, BlockFeatures
from stargan_tf.metrics.feature_comparison import compare
from stargan_tf.metrics.identity import short_hash
from stargan_tf.metrics.perceptual import mean_pairwise

# Training images of a domain that features and pixels are compared with, evenly spread, at most.
_MOST_REAL = 2000
# Real pairs whose mean distance is the diversity of the real images: every image with so many others.
_REAL_PAIRS = 5


class PhotographMeasures:
    """Measures sets of pictures against the photographs of a data directory; trains the networks for it first.

    Args:
        photographs: the real ones.
        fingerprint: of the data.
        cache: directory that keeps the networks.
        has_silhouettes: whether the judge sees the object on grey, and silhouettes are compared.
        judge_settings: how the judge is built and trained.
        autoencoder_settings: how the autoencoder is.
    """

    def __init__(
        self,
        photographs: PhotographSet,
        fingerprint: str,
        cache: Path,
        has_silhouettes: bool,
        judge_settings: classifier.Settings = judge.DEFAULTS,
        autoencoder_settings: unlabelled.Settings = unlabelled.DEFAULTS,
    ):
        self.has_silhouettes = has_silhouettes
        self._domains = tuple(photographs.train)
        shown_as = short_hash({"on_grey": has_silhouettes, "version": 1}, [fingerprint.encode()])
        found = {
            subset: {domain: self._silhouettes(images) for domain, images in of_subset.items()}
            for subset, of_subset in (("train", photographs.train), ("val", photographs.val))
        }
        shown = {domain: self._shown(images, found["train"][domain]) for domain, images in photographs.train.items()}
        shown_val = {domain: self._shown(images, found["val"][domain]) for domain, images in photographs.val.items()}
        self._judge = judge.load_or_train(shown, shown_as, cache, "judge", judge_settings)
        self.judge_facts: dict[str, Any] = {
            "accuracy": self._judge.accuracies(shown_val),
            "ground_accuracy": None,
            "hash": self._judge.hash,
        }
        if has_silhouettes:
            grounds, val_grounds = (
                {d: silhouettes.ground_alone(images, found[subset][d]) for d, images in of_subset.items()}
                for subset, of_subset in (("train", photographs.train), ("val", photographs.val))
            )
            by_ground = judge.load_or_train(grounds, shown_as, cache, "ground_judge", judge_settings)
            self.judge_facts["ground_accuracy"] = by_ground.accuracies(val_grounds)
        autoencoder, self.autoencoder_hash = unlabelled.load_or_train(
            photographs.train, fingerprint, cache, autoencoder_settings
        )
        self._features = {
            "judge": BlockFeatures("judge", self._judge.hash, self._judge.network),
            "autoencoder": BlockFeatures("autoencoder", self.autoencoder_hash, autoencoder),
        }
        self._distances = {
            "judge": BlockDistance("judge", self._judge.hash, self._judge.network),
            "autoencoder": BlockDistance("autoencoder", self.autoencoder_hash, autoencoder),
        }
        self._train = {domain: _at_most(images) for domain, images in photographs.train.items()}
        self._train_looks = {domain: looks_of(images, is_val=False) for domain, images in self._train.items()}
        self._val, self._val_silhouettes = photographs.val, found["val"]
        self._real_features = {
            domain: {
                "judge": self._features["judge"](scaling.scale(_at_most(shown[domain]))),
                "autoencoder": self._features["autoencoder"](scaling.scale(images)),
            }
            for domain, images in self._train.items()
        }
        self._real_diversity = {
            domain: {
                "judge": _mean_of_pairs(self._distances["judge"], shown_val[domain]),
                "autoencoder": _mean_of_pairs(self._distances["autoencoder"], images),
            }
            for domain, images in photographs.val.items()
        }

    def measure(
        self, task: Task, outputs: np.ndarray, with_diversity: bool
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Measures what was made of the sources of a task.

        Args:
            task: from where to where.
            outputs: [S, N, H, W, 3] uint8, of N sources in S styles.
            with_diversity: whether the diversity is measured: of the S outputs of a source, or of real images if S
                is 1.

        Returns:
            The measures: `judge` (share that the judge takes for the target domain), `silhouette` (intersection over
            union with the source's, median), for both networks `fid_`, `kid_`, `precision_` and `recall_` (of the N
            pictures of the first style, so that all columns have equally many), `diversity_` (mean distance of two
            outputs, divided by that of two real images of the target), `nearest` (root mean squared difference to the
            nearest training image of the target, of 255, median) and `copies` (share that is a near-duplicate of one).
            And of each output, [S, N]: `target` (its probability of the target, for the judge), `taken_for` (index of
            the domain that the judge takes it for, of `names`), `overlap` of the silhouettes; and these, [S, N, H, W]
            `silhouettes`.
        """
        target = self._domains.index(task.target)
        styles, count = outputs.shape[:2]
        flat = outputs.reshape(-1, *outputs.shape[2:])
        found = self._silhouettes(flat)
        shown = self._shown(flat, found)
        probabilities = self._judge.probabilities(shown)
        details = {
            "target": probabilities[:, target].reshape(styles, count),
            "taken_for": probabilities.argmax(axis=1).reshape(styles, count),
            "names": np.array(self._domains),
        }
        measured = {"judge": float(np.mean(details["taken_for"] == target))}
        if self.has_silhouettes:
            of_sources = np.tile(self._val_silhouettes[task.source], (styles, 1, 1))
            details["overlap"] = silhouettes.overlap(of_sources, found).reshape(styles, count)
            details["silhouettes"] = found.reshape(outputs.shape[:-1])
            measured["silhouette"] = float(np.median(details["overlap"]))
        pictures = {"judge": shown, "autoencoder": flat}
        for name, features in self._features.items():
            seen = features(scaling.scale(pictures[name][:count]))
            compared = compare(self._real_features[task.target][name], seen)
            measured |= {f"{measure}_{name}": value for measure, value in compared.items()}
        if with_diversity:
            for name, distance in self._distances.items():
                real = self._real_diversity[task.target][name]
                of_sources = pictures[name].reshape(outputs.shape).swapaxes(0, 1)
                varied = (
                    real
                    if styles == 1
                    else np.mean([mean_pairwise(distance, scaling.scale(of_one)) for of_one in of_sources])
                )
                measured[f"diversity_{name}"] = float(varied / max(real, 1e-9))
        train = self._train[task.target]
        measured["nearest"] = float(np.median(nearest_images.nearest(flat, train)[1]))
        measured["copies"] = copies(flat, self._train_looks[task.target])
        return measured, details

    def nearest_training_images(self, images: np.ndarray, domain: str) -> np.ndarray:
        """Returns for each image [N, H, W, 3] uint8 the training image of a domain that is nearest to it."""
        return self._train[domain][nearest_images.nearest(images, self._train[domain])[0]]

    def _silhouettes(self, images: np.ndarray) -> np.ndarray:
        return silhouettes.find(images)[0] if self.has_silhouettes else np.ones(images.shape[:3], bool)

    def _shown(self, images: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Returns images as the judge sees them."""
        return silhouettes.on_grey(images, found) if self.has_silhouettes else images


def _at_most(images: np.ndarray) -> np.ndarray:
    return images[evenly_spread(range(len(images)), _MOST_REAL)]


def _mean_of_pairs(distance: BlockDistance, images: np.ndarray) -> float:
    """Returns the mean distance of an image [N, H, W, 3] uint8 to others of the same domain."""
    features = distance.features(scaling.scale(images))
    shifts = range(1, min(_REAL_PAIRS, len(images) - 1) + 1)
    others = [[np.roll(layer, shift, axis=0) for layer in features] for shift in shifts]
    return float(np.mean([distance.distance(features, shifted) for shifted in others]))
