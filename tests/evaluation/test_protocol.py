"""The protocol against a plain computation of the same, and against kills."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import evenly_spread
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import fingerprint, open_data_directory
from stargan_tf.evaluation.protocol import Evaluator, Interrupted, ProtocolSettings
from stargan_tf.evaluation.tasks import LatentStyles, Task
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics.frechet import Moments, frechet_distance
from stargan_tf.metrics.neighbours import precision_recall
from tests.evaluation.measures import PixelDistance, RandomFeatures

pytestmark = pytest.mark.slow

SETTINGS = ProtocolSettings(outputs=4, seed=3)
MEASURES = {"fid", "kid", "kid_deviation", "lpips", "precision", "recall", "density", "coverage"}


@pytest.fixture(scope="module")
def data(data_path):
    return open_data_directory(data_path)


@pytest.fixture(scope="module")
def translator(trained_run):
    return Translator.from_run(trained_run, batch_size=2)  # three sources: two blocks of a task


def evaluate(translator, data, settings=SETTINGS, work=None, extractor=None, **options) -> str:
    """Returns the result as it would be written."""
    evaluator = Evaluator(data, settings, extractor or RandomFeatures(), PixelDistance(), fingerprint(data), **options)
    result = evaluator.evaluate(translator, work)
    return json.dumps(result, indent=2)


@pytest.fixture(scope="module")
def undisturbed(translator, data):
    return evaluate(translator, data)


def test_every_ordered_pair_has_all_measures_and_their_mean(undisturbed, data, translator):
    result = json.loads(undisturbed)
    assert result["step"] == translator.step == 2
    assert result["extractor"] == {"name": "random", "hash": "0123456789ab"}
    assert result["distance"] == {"name": "pixels", "hash": "ba9876543210"}
    for mode in ("latent", "reference"):
        tasks = result[mode]["tasks"]
        assert list(tasks) == [f"{source}2{target}" for source, target in itertools.permutations(data.domains, 2)]
        for task in tasks.values():
            assert task.keys() - {"source", "target", "num_sources", "num_generated", "num_real"} == MEASURES
            assert (task["num_sources"], task["num_generated"], task["num_real"]) == (3, 12, 6)
        for measure in MEASURES:
            assert result[mode]["mean"][measure] == np.mean([task[measure] for task in tasks.values()])
    assert result["latent"]["mean"] != result["reference"]["mean"]


@pytest.mark.filterwarnings("ignore::stargan_tf.metrics.frechet.FewSamplesWarning")
def test_a_task_is_what_a_plain_computation_gives(undisturbed, data, translator):
    extractor, distance = RandomFeatures(), PixelDistance()
    sources, _, _ = read_images(data, "val_circle")
    styles = LatentStyles(translator, outputs=4, psi=1.0, seed=3)(Task("latent", "circle", "square"), range(3))
    translations = np.stack([translator.translate(sources, styles[output]) for output in range(4)])  # [4, 3, H, W, 3]
    translations = np.round((translations + 1) * 127.5) / 127.5 - 1
    pairs = list(itertools.combinations(translations, 2))
    lpips = np.mean([distance.distance(distance.features(one), distance.features(other)) for one, other in pairs])
    real, generated = Moments.of(extractor), Moments.of(extractor)
    real_features = extractor(read_images(data, "train_square")[0])
    features = extractor(translations.reshape(-1, *translations.shape[2:]))
    real.add(real_features)
    generated.add(features)

    task = json.loads(undisturbed)["latent"]["tasks"]["circle2square"]
    assert task["lpips"] == pytest.approx(lpips, rel=1e-4)
    assert task["fid"] == pytest.approx(frechet_distance(real, generated), rel=1e-3)
    expected = precision_recall(real_features, features)
    assert (task["precision"], task["recall"]) == (expected["precision"], expected["recall"])


def test_twice_the_same_and_another_seed_another(undisturbed, translator, data):
    assert evaluate(translator, data) == undisturbed
    other = json.loads(evaluate(translator, data, dataclasses.replace(SETTINGS, seed=4)))
    assert other["latent"]["mean"]["lpips"] != json.loads(undisturbed)["latent"]["mean"]["lpips"]


class Crash(Exception):
    pass


class CrashingFeatures(RandomFeatures):
    """Ends the evaluation in the middle of a call, as a kill would."""

    def __init__(self, calls):
        super().__init__()
        self._calls = calls

    def __call__(self, images):
        self._calls -= 1
        if self._calls < 0:
            raise Crash
        return super().__call__(images)


def evaluator(data, extractor):
    return Evaluator(data, SETTINGS, extractor, PixelDistance(), fingerprint(data), save_seconds=0.0)


def test_one_that_crashes_again_and_again_ends_with_the_same(undisturbed, translator, data, tmp_path):
    whole = RandomFeatures()
    evaluator(data, whole).evaluate(translator)
    crashes, calls = 0, [5, 2, 9, 3, 4, 1, 6, 11]
    while True:
        extractor = CrashingFeatures(calls[crashes % len(calls)])
        try:
            result = evaluator(data, extractor).evaluate(translator, tmp_path)
            break
        except Crash:
            crashes += 1
            assert crashes < 40
    assert crashes >= 6
    assert json.dumps(result, indent=2) == undisturbed
    assert extractor.seen < whole.seen / 2  # the rest had been kept


def test_one_that_is_asked_to_stop_goes_on_where_it_was(undisturbed, translator, data, tmp_path):
    answers = iter([False, False, False, True])
    with pytest.raises(Interrupted):
        evaluator(data, RandomFeatures()).evaluate(translator, tmp_path, lambda: next(answers))
    (directory,) = tmp_path.iterdir()
    assert {path.suffix for path in directory.iterdir()} == {".json", ".npz"}
    for path in directory.glob("*.npz"):  # and a file that a power failure has spoilt counts for nothing
        path.write_bytes(path.read_bytes()[:100])
    result = evaluator(data, RandomFeatures()).evaluate(translator, tmp_path)
    assert json.dumps(result, indent=2) == undisturbed


def test_what_was_kept_of_other_settings_is_not_taken(undisturbed, translator, data, tmp_path):
    other = evaluate(translator, data, dataclasses.replace(SETTINGS, outputs=5), tmp_path)
    assert evaluate(translator, data, work=tmp_path) == undisturbed != other
    alone = json.loads(evaluate(translator, data, dataclasses.replace(SETTINGS, modes=("reference",)), tmp_path))
    assert alone["reference"] == json.loads(undisturbed)["reference"] and "latent" not in alone


def test_real_images_are_looked_at_once(undisturbed, translator, data, tmp_path):
    first, second, uncached = RandomFeatures(), RandomFeatures(), RandomFeatures()
    assert evaluate(translator, data, extractor=first, cache=tmp_path) == undisturbed
    assert evaluate(translator, data, extractor=second, cache=tmp_path) == undisturbed
    evaluate(translator, data, extractor=uncached)
    assert first.seen == uncached.seen == second.seen + 3 * 6
    other = RandomFeatures()
    other.hash = "ffffffffffff"
    evaluate(translator, data, extractor=other, cache=tmp_path)
    assert other.seen == first.seen


def test_a_subset_is_spread_and_samples_are_limited(translator, data):
    settings = ProtocolSettings(outputs=6, sources=2, neighbours=10)
    result = json.loads(evaluate(translator, data, settings))
    task = result["reference"]["tasks"]["square2circle"]
    assert (task["num_sources"], task["num_generated"]) == (2, 12)
    assert [evenly_spread(range(9), wanted) for wanted in (3, None, 20)] == [[0, 3, 6], list(range(9)), list(range(9))]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"modes": ("latent", "sideways")}, "modes are 'latent, sideways'"),
        ({"outputs": 1}, "outputs is 1; it must be at least 2"),
        ({"psi": 1.5}, "psi is 1.5; it must be between 0 and 1"),
        ({"sources": 1, "outputs": 3}, "3 translations in a task are too few"),
    ],
)
def test_wrong_settings_are_refused(changes, sentence, translator, data):
    with pytest.raises(UserError, match=sentence):
        evaluate(translator, data, ProtocolSettings(**changes))


def test_a_domain_without_validation_images_is_refused(translator, data):
    poor = dataclasses.replace(data, num_examples={**data.num_examples, "val_square": 0})
    with pytest.raises(UserError, match=r"domain 'square' of .* has 0 validation image\(s\)"):
        evaluate(translator, poor)
