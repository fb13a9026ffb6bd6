import json
import shutil

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from data_prep.images_to_tfrecords import main as images_to_tfrecords
from pipeline.components import statistics_gen
from tests.data_prep.jobs import noise


def test_it_has_the_counts_of_the_job_in_tfx_places(statistics_path, data_path):
    statistics = json.loads((statistics_path / "statistics.json").read_text())
    assert statistics["domains"] == ["circle", "square", "triangle"]
    assert statistics["image_size"] == [16, 16] and statistics["encoding"] == "png"
    assert statistics["splits"] == json.loads((data_path / "statistics.json").read_text())["splits"]
    assert statistics["rejected_by_domain"] == {}
    for split, count in (("train_circle", 6), ("val_triangle", 3)):
        serialized = (statistics_path / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(serialized).datasets
        assert dataset.name == split and dataset.num_examples == count


def test_rejected_images_and_duplicates_are_counted_by_domain(tmp_path):
    source = tmp_path / "source"
    for number, domain in enumerate(("cat", "dog")):
        for subset, count in (("train", 5), ("val", 3)):
            (source / subset / domain).mkdir(parents=True)
            for index in range(count):
                noise(16, 16, 100 * number + 10 * count + index).save(source / subset / domain / f"{index}.png")
    (source / "train" / "dog" / "broken.png").write_text("no image")
    shutil.copy(source / "train" / "cat" / "0.png", source / "train" / "cat" / "again.png")
    # Looks like an image of training and is not the same file.
    noise(16, 16, 50).save(source / "val" / "cat" / "same_look.png", compress_level=1)
    data = tmp_path / "data"
    flags = ["--input", str(source), "--output", str(data), "--image_size", "16", "--encoding", "png"]
    assert images_to_tfrecords(flags) == 0
    assert statistics_gen.main(["--examples", str(data), "--output", str(tmp_path / "statistics")]) == 0
    statistics = json.loads((tmp_path / "statistics" / "statistics.json").read_text())
    assert statistics["rejected_by_domain"] == {"dog": 1}
    assert statistics["duplicates_by_domain"] == {"cat": 1}
    assert statistics["near_duplicates_by_split"] == {"val_cat": 1}


@pytest.mark.parametrize("damaged", ["statistics.json", "statistics.binpb", "rejected.jsonl"])
def test_statistics_that_are_not_those_of_the_job_are_refused(damaged, data_path, tmp_path, capsys):
    data = shutil.copytree(data_path, tmp_path / "data")
    with (data / damaged).open("ab") as file:
        file.write(b" ")
    assert statistics_gen.main(["--examples", str(data), "--output", str(tmp_path / "statistics")]) == 3
    assert f"{data / damaged} is not as it was written" in capsys.readouterr().err
    assert not (tmp_path / "statistics").exists()


def test_every_image_is_read_again_if_asked(data_path, tmp_path, capsys):
    data = shutil.copytree(data_path, tmp_path / "data")
    shard = next(data.glob("*train_square*"))
    content = bytearray(shard.read_bytes())
    content[-10] ^= 1
    shard.write_bytes(content)
    arguments = ["--examples", str(data), "--output", str(tmp_path / "statistics")]
    assert statistics_gen.main([*arguments, "--verify"]) == 3
    assert f"{shard} is not as it was written" in capsys.readouterr().err
