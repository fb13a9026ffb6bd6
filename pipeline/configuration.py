"""The configuration of a pipeline: one YAML file, checked as a whole before the first stage runs.

docs/pipeline.md shows one; `python -m pipeline.run --help` lists every field. Whatever is left out has its default.
"""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from data_prep import images_to_tfrecords
from data_prep.sources.tfds_source import PREFIX as TFDS_PREFIX
from pipeline.anomalies import Thresholds
from pipeline.components.evaluator import GridMeasurement
from pipeline.components.infra_validator import Settings as InfraValidatorSettings
from pipeline.components.pusher import Settings as KeptVersions
from pipeline.components.trainer import Settings as TrainerSettings
from pipeline.decision import Limits
from stargan_tf import config, export
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt, Port, PositiveFloat
from stargan_tf.base.writing import write_text
from stargan_tf.config import flatten, preset
from stargan_tf.serving import deployment

_NAME = re.compile(r"[a-z][a-z0-9-]{0,48}[a-z0-9]")

STAGES = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Trainer",
    "Evaluator",
    "InfraValidator",
    "Pusher",
)


@dataclass(frozen=True)
class MetadataSettings:
    """Where ML Metadata keeps what was made of what.

    Args:
        kind: sqlite is a file in the root; mysql and postgresql are servers, which several machines can use.
        host: name of the server.
        port: of the server; by default 3306 or 5432.
        database: on the server.
        user: of the database.
        password_variable: environment variable that holds the user's password.
    """

    kind: Literal["sqlite", "mysql", "postgresql"] = "sqlite"
    host: str | None = None
    port: Port | None = None
    database: str | None = None
    user: str | None = None
    password_variable: str = "METADATA_PASSWORD"


@dataclass(frozen=True)
class EvaluatorSettings:
    """What a model must reach to be blessed.

    Args:
        limits: absolute, and relative to the model that was blessed last.
        measurement: how models are measured.
    """

    limits: Limits = field(default_factory=Limits)
    measurement: GridMeasurement = field(default_factory=GridMeasurement)


@dataclass(frozen=True)
class PusherSettings(KeptVersions):
    """Where models go.

    Args:
        directory: what TF Serving watches: the directory of the model, in which versions are directories; its last part
            is the name of the model.
    """

    directory: str | None = None


@dataclass(frozen=True)
class StageSettings:
    """What a stage gets on Kubeflow or Vertex AI.

    Args:
        cpus: processors.
        memory_gib: memory.
        gpus: number of accelerators.
        retries: how often a failed attempt is repeated.
        cache: whether results of the same inputs and parameters are used again.
    """

    cpus: PositiveFloat = 2.0
    memory_gib: PositiveFloat = 8.0
    gpus: NonNegativeInt = 0
    retries: NonNegativeInt = 2
    cache: bool = True


@dataclass(frozen=True)
class StagesSettings:
    """What each stage gets on Kubeflow or Vertex AI.

    Args:
        example_gen: what ExampleGen gets: of a Beam job that runs elsewhere, only its launcher is here.
        statistics_gen: what StatisticsGen gets.
        schema_gen: what SchemaGen gets.
        example_validator: what ExampleValidator gets.
        trainer: what Trainer gets.
        evaluator: what Evaluator gets.
        infra_validator: what InfraValidator gets.
        pusher: what Pusher gets.
    """

    example_gen: StageSettings = field(default_factory=lambda: StageSettings(cpus=8.0, memory_gib=32.0))
    statistics_gen: StageSettings = field(default_factory=StageSettings)
    schema_gen: StageSettings = field(default_factory=StageSettings)
    example_validator: StageSettings = field(default_factory=StageSettings)
    trainer: StageSettings = field(default_factory=lambda: StageSettings(8.0, 52.0, gpus=1, retries=3))
    evaluator: StageSettings = field(default_factory=lambda: StageSettings(8.0, 52.0, gpus=1))
    infra_validator: StageSettings = field(default_factory=StageSettings)
    # What it writes lies outside, and may have been removed by hand.
    pusher: StageSettings = field(default_factory=lambda: StageSettings(cache=False))


@dataclass(frozen=True)
class KubeflowSettings:
    """What only `python -m pipeline.compile` looks at.

    Args:
        image: container image of the stages, as the Dockerfile makes it.
        root: where artifacts go, gs://bucket/pipeline for instance.
        work: directory that outlives a stage's container, for training that goes on after an interruption:
            /gcs/bucket/work on Vertex AI, or a mounted volume; without one, a retry starts anew.
        accelerator: kind of the GPUs: NVIDIA_TESLA_T4 and the like on Vertex AI, nvidia.com/gpu on Kubeflow.
        stages: resources, retries and caching of each stage.
    """

    image: str | None = None
    root: str | None = None
    work: str | None = None
    accelerator: str = "NVIDIA_TESLA_T4"
    stages: StagesSettings = field(default_factory=StagesSettings)


@dataclass(frozen=True)
class Settings:
    """A pipeline.

    Args:
        name: of the pipeline.
        root: directory of artifacts, metadata, reports and unfinished work; one pipeline has one root.
        example_gen: the images, as data_prep.images_to_tfrecords takes them; `input` and `image_size` are needed.
        beam_flags: flags for Beam in ExampleGen, like ["--runner=FlinkRunner"].
        example_validator: how far the data may be off.
        trainer: what decides the model beside the data.
        warm_start: whether training starts from the last blessed model that was trained on other data.
        evaluator: what a model must reach to be blessed.
        infra_validator: what a model must be able to do to be served.
        pusher: where models go; `directory` is needed.
        metadata: where ML Metadata keeps what was made of what.
        kubeflow: what only `python -m pipeline.compile` looks at.
    """

    name: str = "stargan"
    root: str | None = None
    example_gen: images_to_tfrecords.Arguments = field(default_factory=images_to_tfrecords.Arguments)
    beam_flags: list[str] = field(default_factory=list)
    example_validator: Thresholds = field(default_factory=Thresholds)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    warm_start: bool = False
    evaluator: EvaluatorSettings = field(default_factory=EvaluatorSettings)
    infra_validator: InfraValidatorSettings = field(default_factory=InfraValidatorSettings)
    pusher: PusherSettings = field(default_factory=PusherSettings)
    metadata: MetadataSettings = field(default_factory=MetadataSettings)
    kubeflow: KubeflowSettings = field(default_factory=KubeflowSettings)

    @property
    def root_path(self) -> Path:
        """The root, absolute; of settings that are checked."""
        assert self.root is not None
        return Path(self.root).absolute()

    @property
    def serving_path(self) -> Path:
        """The directory of served versions; of settings that are checked."""
        assert self.pusher.directory is not None
        return Path(self.pusher.directory)

    @property
    def input(self) -> str:
        """The images; of settings that are checked."""
        assert self.example_gen.input is not None
        return self.example_gen.input


def defaults(settings: Settings) -> dict[str, Any]:
    """Gives the values that the file and flags override, by dotted name: those of the preset."""
    name = settings.trainer.preset
    return {} if name is None else {f"trainer.{key}": value for key, value in flatten(preset(name)).items()}


def load(path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Reads a configuration.

    Args:
        path: the YAML file.
        overrides: flags that are stronger than the file, like "--name=other".

    Returns:
        The settings, not yet checked.

    Raises:
        UserError: the file is missing or names a field or value that does not exist.
    """
    argv = [f"--config={path}", *overrides]
    first = command_line.parse(Settings, argv, str(path))
    return command_line.parse(Settings, argv, str(path), defaults=defaults(first))


def check(settings: Settings) -> None:
    """Finds mistakes in any stage's settings before the first stage runs.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    check_places(settings)
    _check_examples(settings)
    settings.example_validator.check("example_validator.")
    _check_trainer(settings)
    with _prefixed("evaluator.limits"):
        settings.evaluator.limits.check()


def check_places(settings: Settings) -> None:
    """Finds mistakes in where things are, of a pipeline that need not run.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    if not _NAME.fullmatch(settings.name):
        raise UserError(
            f"name is {settings.name!r}; it must have 2 to 50 small letters, digits and -, start with a letter and "
            "not end with -"
        )
    if settings.root is None:
        raise UserError("root is missing; name a directory for artifacts and metadata")
    if files.is_remote(settings.root):
        raise UserError(f"root is {settings.root}; it must be a local directory (kubeflow.root may be remote)")
    if settings.pusher.directory is None:
        raise UserError("pusher.directory is missing; name the directory that TF Serving watches")
    deployment.check_model_name(settings.serving_path.resolve().name)
    _check_metadata(settings.metadata)


def _check_examples(settings: Settings) -> None:
    wanted = settings.example_gen
    for name in ("input", "image_size"):
        if getattr(wanted, name) is None:
            raise UserError(f"example_gen.{name} is missing")
    for name in ("output", "overwrite"):
        if getattr(wanted, name):
            raise UserError(f"example_gen.{name} cannot be set; the pipeline decides where examples go")
    with _prefixed("example_gen"):
        images_to_tfrecords.check(dataclasses.replace(wanted, output=settings.root))
    place = wanted.input or ""
    if not place.startswith(TFDS_PREFIX) and not (files.is_folder(place) or files.exists(place)):
        raise UserError(f"example_gen.input {place} does not exist; name the images")


def _check_trainer(settings: Settings) -> None:
    wanted, size = settings.trainer.config, settings.example_gen.image_size
    assert size is not None and settings.root is not None  # checked before
    height, width = (size, size) if isinstance(size, int) else size
    # How many domains the data has is known after ExampleGen; two stand for them here.
    count = wanted.model.num_domains or 2
    domains = wanted.domains or tuple(f"domain{index}" for index in range(count))
    with _prefixed("trainer"):
        config.resolve(wanted, domains, (height, width))
    with _prefixed("trainer.export"):
        export.check(export.Arguments(run=settings.root, output=settings.root, **vars(settings.trainer.export)))
    network = settings.trainer.face_network
    if wanted.model.needs_face_network and not settings.warm_start and network is None:
        raise UserError(
            "trainer.face_network is missing: the high-pass skip (trainer.model.w_hpf) needs a face alignment "
            "network, or trainer.model.face_masks false"
        )
    if network is not None and not Path(network).exists():
        raise UserError(f"trainer.face_network {network} does not exist")


def _check_metadata(metadata: MetadataSettings) -> None:
    if metadata.kind == "sqlite":
        return
    for name in ("host", "database", "user"):
        if getattr(metadata, name) is None:
            raise UserError(f"metadata.{name} is missing; metadata.kind {metadata.kind} needs it")
    if metadata.password_variable not in os.environ:
        raise UserError(
            f"the environment variable {metadata.password_variable} is not set; it must hold the password of "
            f"{metadata.user} (metadata.password_variable names it)"
        )


@contextlib.contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    """Says in errors of a stage's own checks where in the file a value stands: `--steps` becomes `trainer.steps`."""
    try:
        yield
    except UserError as error:
        text = re.sub(r"--(?=[a-z])", f"{prefix}.", str(error))
        raise UserError(text if prefix in text else f"{prefix}: {text}") from error


def save(settings: Settings, path: Path) -> None:
    """Writes settings as a file that `load` reads."""
    plain = json.loads(json.dumps(dataclasses.asdict(settings)))  # Tuples become lists.
    write_text(path, yaml.safe_dump(plain, sort_keys=False))
