import pytest

from data_prep.images_to_tfrecords import main
from tests.data_prep import object_store
from tests.data_prep.jobs import noise, run

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path):
    """The folder and the address of a store with images of two domains."""
    local = tmp_path / "images"
    local.mkdir()
    (tmp_path / "store").mkdir()
    for domain in ("cat", "dog"):
        (local / domain).mkdir()
        for index in range(3):
            file = local / domain / f"{index}.png"
            noise(20, 24, index + 10 * (domain == "cat")).save(file)
            (tmp_path / "store" / f"images%2F{domain}%2F{index}.png").write_bytes(file.read_bytes())
    return tmp_path / "store", object_store.address(tmp_path / "store")


def test_from_store_to_store(store, tmp_path):
    folder, address = store
    assert run(f"{address}/images", f"{address}/data", "--verify") == 0
    assert run(tmp_path / "images", tmp_path / "data") == 0
    expected = {f"data/{file.name}": file.read_bytes() for file in (tmp_path / "data").iterdir()}
    objects = object_store.objects(folder)
    assert {name: content for name, content in objects.items() if not name.startswith("images/")} == expected
    assert main(["--output", f"{address}/data", "--verify"]) == 0


def test_an_earlier_output_is_kept_or_replaced_as_a_whole(store, capsys):
    folder, address = store
    for name in ("old", "manifest.json"):
        (folder / f"data%2F{name}").write_text("old")
    earlier = object_store.objects(folder)
    assert run(f"{address}/images", f"{address}/data") == 2
    assert "/data exists and is not empty" in capsys.readouterr().err
    assert run(f"{address}/images", f"{address}/data", "--overwrite", "--max_rejected", "0", "--min_side", "99") == 2
    assert "6 of 6 images are rejected" in capsys.readouterr().err
    left = object_store.objects(folder)
    assert earlier.items() <= left.items()
    assert left.keys() - earlier.keys() == {
        f"data.{name}.jsonl" for name in ("rejected", "duplicates", "near_duplicates")
    }
    assert run(f"{address}/images", f"{address}/data", "--overwrite") == 0
    assert "data/old" not in object_store.objects(folder)
    assert main(["--output", f"{address}/data", "--verify"]) == 0
