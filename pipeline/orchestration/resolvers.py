"""Which earlier model a run compares with and starts from."""

from pathlib import Path

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as proto
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

from pipeline.orchestration import served_versions
from pipeline.orchestration.model_artifacts import fingerprint_of


class LastServedModel(ResolverStrategy):
    """Finds the model that is served, or was served last before it if that is a given artifact or was made from it.

    What is served counts, not what was blessed last: a model that was rolled back from is no measure for the next one.
    The given artifact is left out because, in a run with nothing changed, the served model is the one that the run
    takes from the cache, and the run would compare the model with itself.

    Args:
        served: file with the versions that were seen in the serving directory.
        directory: the serving directory.
    """

    def __init__(self, served: str, directory: str):
        self._served, self._directory = Path(served), Path(directory)

    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Finds it.

        Args:
            store: the open store.
            input_dict: all `model` of the pipeline, and in `other_than` a model or its examples.

        Returns:
            `model`, empty if there is none.
        """
        excluded = {artifact.id for artifact in input_dict["other_than"]}
        by_fingerprint: dict[str, list[Artifact]] = {}
        for model in sorted(input_dict["model"], key=lambda model: model.id):
            by_fingerprint.setdefault(fingerprint_of(model.mlmd_artifact), []).append(model)
        seen = served_versions.read(self._served, self._directory)
        for _, record in sorted(seen.items(), reverse=True):
            models = by_fingerprint.get(record["fingerprint"], [])
            there = [model for model in models if Path(model.uri).is_dir()]
            # Models that were trained twice to the same weights are the same model.
            if there and not any(excluded & {model.id, *_made_of(store, model.id)} for model in models):
                return {"model": [there[-1]], "other_than": []}
        return {"model": [], "other_than": []}


def _made_of(store: ml_metadata.MetadataStore, artifact_id: int) -> set[int]:
    """Returns the inputs of the stage that made an artifact."""
    made = [e.execution_id for e in store.get_events_by_artifact_ids([artifact_id]) if e.type == proto.Event.OUTPUT]
    events = store.get_events_by_execution_ids(made) if made else []
    return {event.artifact_id for event in events if event.type == proto.Event.INPUT}
