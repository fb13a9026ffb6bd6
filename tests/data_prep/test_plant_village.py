"""Three of 38 labels of a data set like TensorFlow Datasets's `plant_village`, chosen and renamed."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from stargan_tf.data.records import open_data_directory
from tests.data_prep.jobs import noise, read_examples, run

# Of its names three that are taken, one that is like one of them, and others to make 38.
LABELS = [
    "Potato___Early_blight",
    "Potato___healthy",
    "Tomato___Tomato_Yellow_Leaf_Curl_Virus",
    "Tomato___healthy",
    *(f"Plant_{number}___healthy" for number in range(34)),
]


class PlantVillage(tfds.core.GeneratorBasedBuilder):
    """Its features and its only split, with three small images of each label."""

    VERSION = tfds.core.Version("1.0.2")

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "image/filename": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=LABELS),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(3 * len(LABELS)):
            label = LABELS[number % len(LABELS)]
            image = np.asarray(noise(16, 16, number))
            yield number, {"image": image, "image/filename": f"{label}/{number}.JPG", "label": label}


@pytest.mark.slow
def test_three_of_38_labels_become_domains_of_other_names(tmp_path, capsys):
    PlantVillage(data_dir=tmp_path).download_and_prepare()
    chosen = {
        "tomato_healthy": "Tomato___healthy",
        "curl": "Tomato___*Curl_Virus",
        "potato_early_blight": "Potato___Early_blight",
    }
    flags = [flag for name, label in chosen.items() for flag in ("--domain", f"{name}={label}")]
    assert run(tmp_path / "plant_village", tmp_path / "out", "--val_fraction", "0", *flags) == 0
    assert "ignored: 105 " in capsys.readouterr().out
    assert open_data_directory(tmp_path / "out").domains == ("curl", "potato_early_blight", "tomato_healthy")
    splits = sorted(split for split, _ in read_examples(tmp_path / "out"))
    assert splits == [f"train_{name}" for name in ("curl", "potato_early_blight", "tomato_healthy") for _ in range(3)]
