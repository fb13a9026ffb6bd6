import html.parser
import json

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from data_prep import report
from data_prep.images_to_tfrecords import main
from tests.data_prep.jobs import noise, run

# With tags in names, of which none may come through.
DOMAINS = ("cat", "<b>dog")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("report") / "source"
    for number, domain in enumerate(DOMAINS):
        (root / domain).mkdir(parents=True)
        for index in range(12):
            image = noise(8, 12, 100 * number + index).resize((48, 32))
            image.save(root / domain / f"{index}.png")
            image.save(root / domain / f"{index}_again.jpg", quality=80, subsampling=0)
    (root / "cat" / "<script>.png").write_text("I am no image.")
    (root / "cat" / "same.png").write_bytes((root / "cat" / "3.png").read_bytes())
    return root


@pytest.fixture(scope="module")
def data(source):
    output = source.parent / "data"
    assert run(source, output, "--val_fraction", "0.4") == 0
    return output


class Page(html.parser.HTMLParser):
    """Tags, addresses, charts (the numbers they show, by title) and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.texts, self.charts = [], [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        address = (attributes := dict(attributes)).get("src") or attributes.get("href", "")
        if address.startswith("data:image/svg+xml"):
            self.charts[self.texts[-1]] = attributes["alt"]  # by title
        elif address:
            self.addresses.append(address)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.slow
def test_the_page_is_self_contained_and_shows_everything(data, capsys):
    assert report.main([str(data), "--samples", "8"]) == 0
    file = data.parent / "data.report.html"
    assert str(file) in capsys.readouterr().out
    page = Page(file.read_text())
    assert not {"script", "link", "b>dog"} & set(page.tags)
    pairs = len((data / "near_duplicates.jsonl").read_text().splitlines())
    assert pairs > 0
    assert len(page.addresses) == 2 * 8 + 2 * pairs
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    splits = json.loads((data / "statistics.json").read_text())["splits"]
    train, val = (
        sum(split["num_examples"] for name, split in splits.items() if name.startswith(subset))
        for subset in ("train", "val")
    )
    assert page.charts["Width of the sources"] == f"0 to 64 px: {train} training, {val} validation"
    text = " ".join(page.texts)
    for expected in ("cat/<script>.png", "not an image", "<b>dog", "cat/same.png", "same content", "JPEG 12, PNG 12"):
        assert expected in text
    assert report.main([str(data)]) == 2
    assert "data.report.html exists" in capsys.readouterr().err
    assert report.main([str(data), "--overwrite"]) == 0


def test_a_directory_without_a_manifest_is_named(tmp_path, capsys):
    assert report.main([str(tmp_path)]) == 2
    assert f"{tmp_path} has no manifest.json" in capsys.readouterr().err


def test_schema_and_statistics_are_those_of_tensorflow_metadata(data):
    schema = text_format.Parse((data / "schema.pbtxt").read_text(), schema_pb2.Schema())
    assert [feature.name for feature in schema.feature] == ["image", "label", "key", "attributes"]
    assert schema.feature[1].int_domain.max == 1
    summary = json.loads((data / "statistics.json").read_text())["splits"]
    proto = statistics_pb2.DatasetFeatureStatisticsList.FromString((data / "statistics.binpb").read_bytes())
    assert {dataset.name: dataset.num_examples for dataset in proto.datasets} == {
        split: values["num_examples"] for split, values in summary.items()
    }
    for dataset in proto.datasets:
        numbers = {feature.path.step[0]: feature.num_stats for feature in dataset.features}
        values = summary[dataset.name]
        assert numbers["source_width"].mean == 48 and numbers["source_height"].max == 32
        assert numbers["source_aspect"].mean == 1.5 and numbers["source_aspect"].std_dev == 0
        assert numbers["source_jpeg_quality"].common_stats.num_non_missing == values["source_formats"]["JPEG"]
        assert numbers["source_jpeg_quality"].mean == pytest.approx(80, abs=1)
        buckets = numbers["brightness"].histograms[0].buckets
        assert sum(bucket.sample_count for bucket in buckets) == dataset.num_examples


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "lacks images-"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "is not as it was written"),
        (lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]), "is not as it was"),
        (lambda file: file.with_name("other").touch(), "has other, which its manifest does not list"),
    ],
    ids=["missing", "cut", "flipped", "more"],
)
def test_verify_names_what_differs(data, tmp_path, capsys, damage, message):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in data.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert main(["--output", str(copy), "--verify"]) == 0
    damage(next(copy.glob("*train_cat*")))
    assert main(["--output", str(copy), "--verify"]) == 3
    assert message in capsys.readouterr().err
