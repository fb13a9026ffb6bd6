"""Parquet files as the libraries of Hugging Face write them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet


def write_shard(
    file: Path,
    images: Sequence[dict | bytes | None],
    labels: Sequence[int | None],
    names=("cat", "dog"),
    column="label",
) -> Path:
    """A file with a column `image`, and one of integers whose names stand in the metadata of the schema."""
    features = {"image": {"_type": "Image"}, "note": {"dtype": "string", "_type": "Value"}}
    features[column] = {"names": list(names), "_type": "ClassLabel"}
    table = pyarrow.table({"image": images, column: labels, "note": ["a note"] * len(labels)})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(metadata if names else {}), file)
    return file


def numbered(start: int, count: int) -> list[dict]:
    """Images whose bytes are their number."""
    return [{"bytes": str(number).encode(), "path": f"{number}.jpg"} for number in range(start, start + count)]
