import hashlib
from collections import Counter

import pytest
import tensorflow as tf

from data_prep.shards import EXAMPLES_PER_SHARD, Shard, assign_shard, count_shards, open_shard, write_shard


@pytest.mark.parametrize(
    ("num_examples", "num_shards"),
    [(0, 1), (1, 1), (EXAMPLES_PER_SHARD, 1), (EXAMPLES_PER_SHARD + 1, 2), (10 * EXAMPLES_PER_SHARD, 10)],
)
def test_number_of_shards(num_examples, num_shards):
    assert count_shards(num_examples) == num_shards


def test_shards_are_of_like_size_and_depend_on_the_seed():
    keys = [f"cat/{i}.jpg" for i in range(4000)]
    shards = [assign_shard(key, "train_cat", 4, seed=0) for key in keys]
    assert shards == [assign_shard(key, "train_cat", 4, seed=0) for key in keys]
    counts = Counter(shard.index for shard in shards)
    assert sorted(counts) == [0, 1, 2, 3] and max(counts.values()) - min(counts.values()) < 200
    others = [assign_shard(key, "train_cat", 4, seed=1) for key in keys]
    assert sum(a == b for a, b in zip(shards, others, strict=True)) == pytest.approx(1000, abs=150)


def test_the_order_of_arrival_does_not_matter(tmp_path):
    shard = Shard("train_cat", 0, 2)
    examples = [("b", b"2"), ("a", b"11"), ("c", b"3")]
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    written = write_shard(shard, examples, str(tmp_path / "x"))
    write_shard(shard, iter(reversed(examples)), str(tmp_path / "y"))
    file = tmp_path / "x" / "images-train_cat.tfrecord-00000-of-00002"
    assert file.read_bytes() == (tmp_path / "y" / file.name).read_bytes()
    assert list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()) == [b"11", b"2", b"3"]
    assert written == (shard, 3, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_shard_has_its_name_only_when_complete(tmp_path):
    shard = Shard("train_cat", 0, 1)
    with pytest.raises(ZeroDivisionError), open_shard(shard, str(tmp_path)) as writer:
        writer.write(b"data")
        raise ZeroDivisionError
    assert not (tmp_path / "images-train_cat.tfrecord-00000-of-00001").exists()
