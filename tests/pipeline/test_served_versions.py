"""What was served last is known whatever happens to the serving directory, and put back."""

import shutil

import pytest

from pipeline.components import pusher
from pipeline.model_fingerprint import fingerprint
from pipeline.orchestration import served_versions
from pipeline.served import look
from pipeline.serving_directory import ServingDirectory
from tests.pipeline.components.test_pusher import flags, make_model, versions


class Place:
    """A serving directory with two versions, and the artifacts that they came from."""

    def __init__(self, folder):
        self.serving, self.file = folder / "models" / "stargan", folder / "served.json"
        self.models = {number: make_model(folder / f"model_{number}", number) for number in (1, 2)}
        for model in self.models.values():
            assert pusher.main(flags(self.serving, model)) == 0
        assert self.put_back() == []

    def put_back(self):
        """What the start of a run does."""
        return served_versions.put_back_what_is_missing(self.file, self.serving, self.find, lambda model: [1, 4])

    def find(self, content):
        """The model with a fingerprint."""
        paths = [model / "Format-Serving" for model in self.models.values()]
        return next((path for path in paths if path.is_dir() and fingerprint(path) == content), None)

    def look(self, number):
        """What is served, for a run with a model."""
        return look(self.serving, fingerprint(self.models[number] / "Format-Serving"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_directory_that_was_moved_away_gets_what_was_served(place):
    shutil.rmtree(place.serving)
    assert look(place.serving, None).title == "Nothing is served"
    assert place.put_back() == [f"{place.serving / '2'} is missing; it is put back"]
    assert versions(place.serving) == {2: "graph 2"}
    assert "allowed_batch_sizes: 4" in (place.serving / "serving" / "batching.config").read_text()
    assert place.look(2).is_of_run and place.put_back() == []


def test_a_roll_back_is_remembered_with_what_it_was_from(place):
    assert pusher.main([f"--serving={place.serving}", "--rollback=1"]) == 0
    assert place.put_back() == []
    shutil.rmtree(place.serving)
    place.put_back()
    assert versions(place.serving) == {3: "graph 1"}
    served = place.look(2)
    assert served.is_withdrawn and not served.is_of_run and served.why.startswith("it repeats version 1; the model of")
    assert pusher.main(flags(place.serving, place.models[2])) == 0
    assert versions(place.serving) == {3: "graph 1"}


def test_a_damaged_version_is_published_again_under_the_next_number(place):
    (place.serving / "2" / "saved_model.pb").write_text("half a gr")
    assert not place.look(2).is_whole and "is not as it was published" in place.look(2).why
    (sentence, *_) = place.put_back()
    assert sentence == f"{place.serving / '2'} is not as it was published; it is published again as version 3"
    assert versions(place.serving) == {1: "graph 1", 2: "half a gr", 3: "graph 2"}
    assert place.look(2).is_whole and ServingDirectory(place.serving).record(3)["rollback_of"] == 2


def test_what_has_no_artifact_any_more_is_told(place):
    shutil.rmtree(place.serving / "2")
    shutil.rmtree(place.models[2] / "Format-Serving")
    (sentence,) = place.put_back()
    assert sentence == f"{place.serving / '2'} is missing, and cannot be put back: its artifact is gone, too"
    assert look(place.serving, None).version == 1


def test_another_directory_starts_anew(place, tmp_path):
    other = tmp_path / "models" / "other"
    assert served_versions.put_back_what_is_missing(place.file, other, place.find, lambda model: [1]) == []
    assert not other.exists()
