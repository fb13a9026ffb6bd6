"""The wiring of the stages: which one takes what from which."""

import json

from ml_metadata.proto import metadata_store_pb2 as proto
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model

from pipeline.configuration import Settings
from pipeline.orchestration.code_version import code_version
from pipeline.orchestration.components import (
    Evaluator,
    ExampleGen,
    ExampleValidator,
    InfraValidator,
    LastGoodModel,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    to_json,
)
from pipeline.orchestration.resolvers import LastServedModel


def create_pipeline(
    settings: Settings,
    input_fingerprint: str,
    root: str,
    work: str,
    cache: str,
    served: str = "",
    run: str = "any",
    data_version: int = 0,
    connection: proto.ConnectionConfig | None = None,
    on_kubeflow: bool = False,
) -> Pipeline:
    """Wires the stages.

    Args:
        settings: checked.
        input_fingerprint: of the images, see `input_fingerprint.fingerprint`.
        root: where artifacts go.
        work: directory for unfinished training, which continues after an interruption.
        cache: directory of the Evaluator for results that it can use again.
        served: file with the versions that were seen in the serving directory, see `served_versions`.
        data_version: number of this set of images among those of all runs.
        run: what tells this run from others, so that the Pusher always looks at the serving directory.
        connection: to the metadata store; Kubeflow has its own.
        on_kubeflow: whether the pipeline is compiled for Kubeflow, whose own back end knows no resolvers.

    Returns:
        TFX's pipeline.
    """

    def version(stage: str) -> str:
        return code_version(f"pipeline.components.{stage}")

    nodes: dict[str, BaseNode] = {}  # that find earlier models

    def last_good_model(name: str, other_than: Channel) -> Channel:
        if on_kubeflow:
            if not nodes:
                code = code_version("pipeline.orchestration.model_addresses")
                nodes["LastGoodModel"] = LastGoodModel(serving=str(settings.serving_path), code_version=code)
            (stage,) = nodes.values()
            return stage.outputs["model"]
        config = {"served": served, "directory": str(settings.serving_path)}
        resolver = Resolver(
            strategy_class=LastServedModel, config=config, model=Channel(type=Model), other_than=other_than
        )
        nodes[name] = resolver.with_id(name)
        return nodes[name].outputs["model"]

    example_gen = ExampleGen(
        settings=to_json(settings.example_gen),
        beam_flags=json.dumps(settings.beam_flags),
        input_fingerprint=input_fingerprint,
        data_version=data_version,
        code_version=version("example_gen"),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples, code_version=version("statistics_gen"))
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = SchemaGen(statistics=statistics, code_version=version("schema_gen"))

    last_good = last_good_model("LastGoodModel", examples)
    example_validator = ExampleValidator(
        statistics=statistics,
        last_good_model=last_good,
        settings=to_json(settings.example_validator),
        code_version=version("example_validator"),
    )
    trainer = Trainer(
        examples=examples,
        schema=schema_gen.outputs["schema"],
        anomalies=example_validator.outputs["anomalies"],
        name=settings.serving_path.name,
        settings=to_json(settings.trainer),
        work=work,
        code_version=version("trainer"),
        **({"base_model": last_good} if settings.warm_start else {}),
    )
    model = trainer.outputs["model"]

    # Excludes the model of this run: if its stage was taken from the cache, it may be the latest that was blessed.
    blessed = last_good_model("LatestBlessedModel", model)
    evaluator = Evaluator(
        model=model,
        examples=examples,
        blessed_model=blessed,
        settings=to_json(settings.evaluator),
        cache=cache,
        code_version=version("evaluator"),
    )
    infra_validator = InfraValidator(
        model=model, settings=to_json(settings.infra_validator), code_version=version("infra_validator")
    )
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_validator.outputs["blessing"],
        serving=str(settings.serving_path),
        keep=settings.pusher.keep,
        run=run,
        code_version=version("pusher"),
    )
    stages = [example_gen, statistics_gen, schema_gen, example_validator, trainer, evaluator, infra_validator, pusher]
    return Pipeline(
        pipeline_name=settings.name,
        pipeline_root=root,
        metadata_connection_config=connection,
        components=[*nodes.values(), *stages],
        enable_cache=True,
    )
