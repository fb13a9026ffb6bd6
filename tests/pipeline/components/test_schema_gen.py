import json

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.components import schema_gen


def test_it_has_what_later_data_is_judged_by(schema_path):
    schema = json.loads((schema_path / "schema.json").read_text())
    assert schema["domains"] == ["circle", "square", "triangle"] and schema["image_size"] == [16, 16]
    assert list(schema["splits"]) == [
        f"{subset}_{domain}" for subset in ("train", "val") for domain in ("circle", "square", "triangle")
    ]
    split = schema["splits"]["train_square"]
    assert (split["domain"], split["subset"], split["num_examples"]) == ("square", "train", 6)
    assert set(split["distributions"]) == set(schema_gen.DISTRIBUTIONS)
    brightness = split["distributions"]["brightness"]
    assert sum(brightness["histogram"]) == 6 and len(brightness["edges"]) == len(brightness["histogram"]) + 1
    assert brightness["least"] < brightness["mean"] < brightness["most"]

    proto = text_format.Parse((schema_path / "schema.pbtxt").read_text(), schema_pb2.Schema())
    assert [feature.name for feature in proto.feature] == ["image", "label", "key", "attributes"]


@pytest.mark.parametrize("found", ["nothing", "half a file"])
def test_what_is_no_statistics_is_refused(found, tmp_path, capsys):
    if found == "half a file":
        (tmp_path / "statistics.json").write_text('{"domains": [')
    assert schema_gen.main(["--statistics", str(tmp_path), "--output", str(tmp_path / "schema")]) == 2
    assert ("is damaged" if found == "half a file" else "has no statistics.json") in capsys.readouterr().err
    assert not (tmp_path / "schema").exists()
