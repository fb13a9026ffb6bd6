"""Which earlier model a run compares with and starts from."""

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as proto
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

from pipeline.orchestration.components import BLESSED, CURRENT_MODEL


class LastGoodModel(ResolverStrategy):
    """Finds the model that was blessed last, except models that are a given artifact or were made from it.

    In a run with nothing changed, TFX's LatestBlessedModelStrategy would find the model that the run takes from the
    cache, and the run would compare the model with itself.
    """

    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Finds it.

        Args:
            store: the open store.
            input_dict: all `model` and `model_blessing` of the pipeline, and in `other_than` a model or its examples.

        Returns:
            `model`, empty if there is none.
        """
        models = {model.id: model for model in input_dict["model"]}
        excluded = {artifact.id for artifact in input_dict["other_than"]}
        blessings = sorted(input_dict["model_blessing"], key=lambda blessing: blessing.id, reverse=True)
        for blessing in blessings:
            model = models.get(blessing.get_int_custom_property(CURRENT_MODEL))
            if model is None or blessing.get_int_custom_property(BLESSED) != 1:
                continue
            if not excluded & {model.id, *_made_of(store, model.id)}:
                return {"model": [model], "model_blessing": [blessing], "other_than": []}
        return {"model": [], "model_blessing": [], "other_than": []}


def _made_of(store: ml_metadata.MetadataStore, artifact_id: int) -> set[int]:
    """Returns the inputs of the stage that made an artifact."""
    made = [e.execution_id for e in store.get_events_by_artifact_ids([artifact_id]) if e.type == proto.Event.OUTPUT]
    events = store.get_events_by_execution_ids(made) if made else []
    return {event.artifact_id for event in events if event.type == proto.Event.INPUT}
