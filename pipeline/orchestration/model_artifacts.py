"""Models in the metadata store, known by their content."""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as proto

from pipeline import artifacts
from pipeline.model_fingerprint import fingerprint

FINGERPRINT = "fingerprint"


def fingerprint_of(model: proto.Artifact) -> str:
    """Returns the fingerprint of what a Model has served; of one without files that of nothing."""
    if FINGERPRINT in model.custom_properties:
        return model.custom_properties[FINGERPRINT].string_value
    return fingerprint(Path(model.uri) / artifacts.SERVING_MODEL)  # the Trainer of an earlier version recorded none
