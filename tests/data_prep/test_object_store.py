import fsspec
import pytest

from data_prep.images_to_tfrecords import main
from stargan_tf.base import files
from tests.data_prep.jobs import noise, run
from tests.stores import KEY, KINDS, SECRET, new_store, objects, upload

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with images of two domains."""
    folder = tmp_path_factory.mktemp("images")
    for domain in ("cat", "dog"):
        (folder / domain).mkdir()
        for index in range(3):
            noise(20, 24, index + 10 * (domain == "cat")).save(folder / domain / f"{index}.png")
    return folder


@pytest.fixture(params=KINDS)
def address(images, request):
    """The address of a store, of each kind, with nothing but these images."""
    address = new_store(request.param, request)
    upload(images, f"{address}/images")
    return address


def test_from_store_to_store(address, images, tmp_path, capfd):
    assert run(f"{address}/images", f"{address}/data", "--verify") == 0
    assert run(images, tmp_path / "data") == 0
    expected = {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()}
    assert objects(f"{address}/data") == expected
    assert {name.split("/")[0] for name in objects(address)} == {"images", "data"}
    assert main(["--output", f"{address}/data", "--verify"]) == 0
    told = b"".join([*objects(address).values(), *map(str.encode, capfd.readouterr())])
    assert KEY.encode() not in told and SECRET.encode() not in told


def test_workers_that_are_processes_have_clients_of_their_own(images, tmp_path, request):
    address = new_store("s3", request)  # other processes do not see that in memory
    upload(images, f"{address}/images")
    flags = ("--", "--direct_num_workers=2", "--direct_running_mode=multi_processing")
    assert run(f"{address}/images", f"{address}/by_two", *flags) == 0
    assert run(images, tmp_path / "data") == 0
    assert objects(f"{address}/by_two") == {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()}


def test_an_earlier_output_is_kept_or_replaced_as_a_whole(address, capsys):
    output = f"{address}/kept"
    for name in ("old", "manifest.json"):
        files.write(f"{output}/{name}", b"old")
    earlier = objects(address)
    assert run(f"{address}/images", output) == 2
    assert "/kept exists and is not empty" in capsys.readouterr().err
    assert run(f"{address}/images", output, "--overwrite", "--max_rejected", "0", "--min_side", "99") == 3
    assert "6 of 6 images are rejected" in capsys.readouterr().err
    left = objects(address)
    assert earlier.items() <= left.items()
    assert left.keys() - earlier.keys() == {
        f"kept.{name}.jsonl" for name in ("rejected", "duplicates", "near_duplicates")
    }
    assert run(f"{address}/images", output, "--overwrite") == 0
    assert not files.exists(f"{output}/old")
    assert main(["--output", output, "--verify"]) == 0


def test_archives_and_tables_are_read_where_they_are(address, images, tmp_path):
    import shutil

    archive = shutil.make_archive(str(tmp_path / "images"), "zip", images)
    with open(archive, "rb") as local, fsspec.open(f"{address}/images.zip", "wb") as remote:  # noqa: PTH123
        shutil.copyfileobj(local, remote)
    rows = [f"{domain}/{index}.png,{domain}\n" for domain in ("cat", "dog") for index in range(3)]
    files.write(f"{address}/images/table.csv", "".join(["path,label\n", *rows]).encode())
    for name in ("images.zip", "images/table.csv"):
        assert run(f"{address}/{name}", f"{address}/from_{name[-3:]}") == 0
    shards = [
        {name: content for name, content in objects(f"{address}/{folder}").items() if ".tfrecord-" in name}
        for folder in ("from_zip", "from_csv")
    ]
    assert shards[0] == shards[1] and len(shards[0]) >= 2
    files.delete([f"{address}/images/table.csv"])
