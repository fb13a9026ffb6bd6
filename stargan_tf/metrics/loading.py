"""Loads the feature extractor and the perceptual distance that a user names, and imports only what these need."""

from pathlib import Path

from stargan_tf.base.errors import UserError
from stargan_tf.data.records import DataDirectory
from stargan_tf.metrics.extractors import FeatureExtractor
from stargan_tf.metrics.perceptual import PerceptualDistance


def check_names(extractor: str, distance: str) -> None:
    """Checks, before anything large is imported, that there are such an extractor and such a distance.

    Args:
        extractor: as for `load_extractor`.
        distance: as for `load_distance`.

    Raises:
        UserError: one is unknown, or a file is missing.
    """
    files: dict[str, list[str]] = {"--extractor": [], "--distance": []}
    if extractor.endswith(".onnx") or extractor.startswith("inception:"):
        files["--extractor"] = [extractor.removeprefix("inception:")]
    elif extractor not in ("classifier", "inception"):
        raise _unknown_extractor(extractor)
    network, _, weights = distance.rpartition(":")
    if network.endswith(".onnx"):
        files["--distance"] = [network, weights]
    elif distance != "classifier":
        raise _unknown_distance(distance)
    for flag, paths in files.items():
        for path in paths:
            if not Path(path).is_file():
                raise UserError(f"there is no file {path!r} ({flag})")


def _unknown_extractor(spec: str) -> UserError:
    return UserError(f"there is no extractor {spec!r}; take classifier, inception, inception:WEIGHTS_FILE or FILE.onnx")


def _unknown_distance(spec: str) -> UserError:
    return UserError(f"there is no perceptual distance {spec!r}; take classifier, or FILE.onnx:LINEAR_WEIGHTS.npz")


def load(
    extractor: str, distance: str, data: DataDirectory, cache: Path
) -> tuple[FeatureExtractor, PerceptualDistance]:
    """Loads both, first that which no classifier need be trained for, so that a mistake in it is told at once.

    Args:
        extractor: as for `load_extractor`.
        distance: as for `load_distance`.
        data: the data directory that is measured.
        cache: directory to keep trained classifiers in; made if it is missing.

    Raises:
        UserError: as theirs.
    """
    if extractor == "classifier":
        loaded = load_distance(distance, data, cache)
        return load_extractor(extractor, data, cache), loaded
    return load_extractor(extractor, data, cache), load_distance(distance, data, cache)


def load_extractor(spec: str, data: DataDirectory, cache: Path) -> FeatureExtractor:
    """Loads an extractor.

    Args:
        spec: `classifier`, trained on `data`, offline, and kept; `inception`, the InceptionV3 of keras.applications,
            downloaded once; `inception:FILE`, the same with weights of a file; `FILE.onnx`, any network.
        data: the data directory that is measured.
        cache: directory to keep trained classifiers in; made if it is missing.

    Returns:
        The extractor.

    Raises:
        UserError: there is no such extractor or file, a file holds something else, or weights cannot be downloaded.
    """
    if spec == "classifier":
        from stargan_tf.metrics import classifier

        return classifier.ClassifierFeatures(classifier.load_or_train(data, cache))
    if spec == "inception" or spec.startswith("inception:"):
        from stargan_tf.metrics.inception import InceptionFeatures

        return InceptionFeatures(Path(spec.removeprefix("inception:")) if ":" in spec else None)
    if spec.endswith(".onnx"):
        from stargan_tf.metrics.onnx_network import OnnxFeatures

        return OnnxFeatures(Path(spec), data.image_size)
    raise _unknown_extractor(spec)


def load_distance(spec: str, data: DataDirectory, cache: Path) -> PerceptualDistance:
    """Loads a perceptual distance.

    Args:
        spec: `classifier`, trained on `data`, offline, and kept; `FILE.onnx:WEIGHTS.npz`, LPIPS of a network with
            several outputs and their linear weights.
        data: the data directory that is measured.
        cache: directory to keep trained classifiers in; made if it is missing.

    Returns:
        The distance.

    Raises:
        UserError: there is no such distance or file, or a file holds something else.
    """
    if spec == "classifier":
        from stargan_tf.metrics import classifier

        return classifier.ClassifierDistance(classifier.load_or_train(data, cache))
    network, separator, weights = spec.rpartition(":")
    if separator and network.endswith(".onnx"):
        from stargan_tf.metrics.lpips import Lpips

        return Lpips(Path(network), Path(weights), data.image_size)
    raise _unknown_distance(spec)
