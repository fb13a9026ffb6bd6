"""The stages as TFX components with typed artifacts; the work is done in `pipeline.components`.

A parameter `settings` is a dataclass as JSON. `code_version`, `input_fingerprint` of ExampleGen and `run` of Pusher are
not used for the work: they stand for what a stage reads besides its artifacts, so that ML Metadata takes a result from
its cache only if code and images are the same, and never if it depends on the serving directory.
"""

import dataclasses
import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from data_prep.dataset_info import STATISTICS_FILE
from pipeline import anomalies as anomaly_search
from pipeline import artifacts
from pipeline.components import (
    evaluator,
    example_gen,
    example_validator,
    infra_validator,
    pusher,
    schema_gen,
    statistics_gen,
    trainer,
)
from pipeline.model_fingerprint import fingerprint
from pipeline.orchestration import model_addresses
from pipeline.orchestration.local_directories import delivered, fetched
from pipeline.orchestration.model_artifacts import FINGERPRINT
from stargan_tf.base import command_line, files
from stargan_tf.serving.model_card import CARD_FILE

# Properties of blessings, with the names that TFX's resolver of the latest blessed model reads.
BLESSED, CURRENT_MODEL = "blessed", "current_model_id"
# A property of Examples, as TFX's ExampleGen names it.
INPUT_FINGERPRINT = "input_fingerprint"


def to_json(settings: Any) -> str:
    """Returns a dataclass as the JSON text that the components take."""
    return json.dumps(dataclasses.asdict(settings), sort_keys=True)


def _read(kind: type, settings: str) -> Any:
    return command_line.parse(kind, ["--config", settings], program="settings")


def _address(model: Any) -> str | None:
    """Returns where an earlier model lies; None where there is none."""
    return None if model is None else model_addresses.followed(model.uri)


@component
def LastGoodModel(
    model: OutputArtifact[standard_artifacts.Model], serving: Parameter[str], code_version: Parameter[str]
) -> None:
    """Finds the model that is served, on Kubeflow; elsewhere `resolvers.LastServedModel` asks the metadata store."""
    model_addresses.stand_for(model_addresses.last_good(serving), model.uri)


@component
def ExampleGen(
    examples: OutputArtifact[standard_artifacts.Examples],
    settings: Parameter[str],
    beam_flags: Parameter[str],
    input_fingerprint: Parameter[str],
    data_version: Parameter[int],
    code_version: Parameter[str],
) -> None:
    """Makes a data directory from images."""
    # The address itself, not a local directory: Beam's workers write to it from wherever they run.
    arguments = dataclasses.replace(_read(example_gen.Arguments, settings), output=examples.uri)
    example_gen.run(arguments, json.loads(beam_flags))
    # As TFX's own ExampleGen fills them. Images have no spans; another set of them is another version.
    examples.span, examples.version = 0, data_version
    examples.split_names = json.dumps(list(json.loads(files.read(files.join(examples.uri, STATISTICS_FILE)))["splits"]))
    examples.set_string_custom_property(INPUT_FINGERPRINT, input_fingerprint)


@component
def StatisticsGen(
    examples: InputArtifact[standard_artifacts.Examples],
    statistics: OutputArtifact[standard_artifacts.ExampleStatistics],
    code_version: Parameter[str],
) -> None:
    """Extracts the statistics of a data directory."""
    with fetched(examples.uri) as source, delivered(statistics.uri) as output:
        statistics_gen.run(statistics_gen.Arguments(source, output))
    statistics.span, statistics.split_names = examples.span, examples.split_names


@component
def SchemaGen(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: OutputArtifact[standard_artifacts.Schema],
    code_version: Parameter[str],
) -> None:
    """Describes a data set for comparison with later ones."""
    with fetched(statistics.uri) as source, delivered(schema.uri) as output:
        schema_gen.run(schema_gen.Arguments(source, output))


@component
def ExampleValidator(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: OutputArtifact[standard_artifacts.ExampleAnomalies],
    settings: Parameter[str],
    code_version: Parameter[str],
    last_good_model: InputArtifact[standard_artifacts.Model] = None,
) -> None:
    """Compares a data set with the schema in the last good model; the Trainer stops on blocking anomalies."""
    with ExitStack() as stack:
        source, output = stack.enter_context(fetched(statistics.uri)), stack.enter_context(delivered(anomalies.uri))
        schema = None
        if (last_good := _address(last_good_model)) is not None:
            schema = stack.enter_context(fetched(files.join(last_good, artifacts.MODEL_SCHEMA)))
        thresholds = _read(anomaly_search.Thresholds, settings)
        try:
            example_validator.run(example_validator.Arguments(source, output, schema, thresholds))
        except example_validator.BlockingAnomalies:
            # A failed stage leaves no artifact, and this one must be readable; the Trainer, which takes it, fails.
            anomalies.set_int_custom_property("blocking", 1)
    anomalies.span, anomalies.split_names = statistics.span, statistics.split_names


@component
def Trainer(
    examples: InputArtifact[standard_artifacts.Examples],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    model: OutputArtifact[standard_artifacts.Model],
    name: Parameter[str],
    settings: Parameter[str],
    work: Parameter[str],
    code_version: Parameter[str],
    base_model: InputArtifact[standard_artifacts.Model] = None,
) -> None:
    """Trains and exports a model."""
    with ExitStack() as stack:
        start = _address(base_model)
        base = None if start is None else stack.enter_context(fetched(start))
        # An attempt continues the work of an earlier one only if everything that decides the result is the same.
        made_of = [examples.uri, start, name, settings, code_version]
        own_work = files.join(work, hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16])
        trainer.run(
            trainer.Arguments(
                examples=stack.enter_context(fetched(examples.uri)),
                output=stack.enter_context(delivered(model.uri)),
                work=own_work,
                name=name,
                schema=stack.enter_context(fetched(schema.uri)),
                anomalies=stack.enter_context(fetched(anomalies.uri)),
                base_model=base,
                trainer=_read(trainer.Settings, settings),
            )
        )
    with fetched(files.join(model.uri, artifacts.SERVING_MODEL)) as served:
        card = artifacts.read_json(served, CARD_FILE, "model")
        model.set_string_custom_property(FINGERPRINT, fingerprint(Path(served)))
    model.set_int_custom_property("step", card["step"])
    model.set_string_custom_property("domains", json.dumps(card["domains"]))
    model.set_string_custom_property("image_size", json.dumps(card["image_size"]))


@component
def Evaluator(
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    evaluation: OutputArtifact[standard_artifacts.ModelEvaluation],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    settings: Parameter[str],
    cache: Parameter[str],
    code_version: Parameter[str],
    blessed_model: InputArtifact[standard_artifacts.Model] = None,
) -> None:
    """Finds out whether a model is good enough, and no worse than the one blessed last."""
    with ExitStack() as stack:
        last = _address(blessed_model)
        blessed = None if last is None else stack.enter_context(fetched(last))
        code = evaluator.run(
            evaluator.Arguments(
                model=stack.enter_context(fetched(model.uri)),
                examples=stack.enter_context(fetched(examples.uri)),
                evaluation=stack.enter_context(delivered(evaluation.uri)),
                blessing=stack.enter_context(delivered(blessing.uri)),
                blessed_model=blessed,
                evaluator=_read(evaluator.Settings, settings),
                cache=cache,
            )
        )
    blessing.set_int_custom_property(BLESSED, int(code == 0))
    # In a local metadata store artifacts have numbers, on Vertex AI they have names.
    if model.name.startswith("projects/"):
        blessing.set_string_custom_property(CURRENT_MODEL, model.name)
    else:
        blessing.set_int_custom_property(CURRENT_MODEL, model.id)


@component
def InfraValidator(
    model: InputArtifact[standard_artifacts.Model],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    settings: Parameter[str],
    code_version: Parameter[str],
) -> None:
    """Finds out whether a model can be served."""
    with fetched(model.uri) as source, delivered(blessing.uri) as output:
        code = infra_validator.run(infra_validator.Arguments(model=source, output=output, **json.loads(settings)))
    blessing.set_int_custom_property(BLESSED, int(code == 0))


@component
def Pusher(
    model: InputArtifact[standard_artifacts.Model],
    model_blessing: InputArtifact[standard_artifacts.ModelBlessing],
    infra_blessing: InputArtifact[standard_artifacts.InfraBlessing],
    pushed_model: OutputArtifact[standard_artifacts.PushedModel],
    serving: Parameter[str],
    keep: Parameter[int],
    run: Parameter[str],
    code_version: Parameter[str],
) -> None:
    """Makes a blessed model the next version."""
    with (
        fetched(model.uri) as source,
        fetched(model_blessing.uri) as by_evaluator,
        fetched(infra_blessing.uri) as by_infra_validator,
        delivered(pushed_model.uri) as output,
    ):
        pusher.run(
            pusher.Arguments(
                serving=serving,
                model=source,
                model_blessing=by_evaluator,
                infra_blessing=by_infra_validator,
                output=output,
                keep=keep,
            )
        )
        pushed = artifacts.read_json(output, artifacts.PUSHED_FILE, "output")
    # Properties with the names that TFX's Pusher uses.
    pushed_model.set_int_custom_property("pushed", int(pushed["pushed"]))
    if pushed["pushed"]:
        model_addresses.note(serving, pushed["fingerprint"], model.uri)
        pushed_model.set_string_custom_property("pushed_destination", pushed["path"])
        pushed_model.set_string_custom_property("pushed_version", str(pushed["version"]))
