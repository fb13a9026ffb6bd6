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
from typing import Any, ClassVar, Literal

import yaml

from data_prep import images_to_tfrecords
from data_prep.sources.patterns import expand, is_pattern
from data_prep.sources.tfds_source import PREFIX as TFDS_PREFIX
from pipeline.anomalies import Thresholds
from pipeline.components.evaluator import Settings as EvaluatorSettings
from pipeline.components.infra_validator import Settings as InfraValidatorSettings
from pipeline.components.pusher import Settings as KeptVersions
from pipeline.components.trainer import Settings as TrainerSettings
from pipeline.kubeflow_settings import KubeflowSettings
from pipeline.serving_directory import check_local
from stargan_tf import config, export
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Port
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
    """Where ML Metadata records which artifact was made from which.

    Args:
        kind: sqlite is a file in the root; mysql and postgresql are servers, which several machines can use.
        host: name of the server.
        port: port of the server; by default 3306 or 5432.
        database: name of the database on the server.
        user: user of the database.
        password_variable: environment variable that holds the user's password.
        password_file: file that holds it instead, as secrets are mounted.
    """

    kind: Literal["sqlite", "mysql", "postgresql"] = "sqlite"
    host: str | None = None
    port: Port | None = None
    database: str | None = None
    user: str | None = None
    password_variable: str = "METADATA_PASSWORD"
    password_file: str | None = None

    def password(self) -> str:
        """Returns the password.

        Raises:
            UserError: it is not where it should be.
        """
        if self.password_file is not None:
            try:
                return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is no text"
                raise UserError(f"metadata.password_file {self.password_file} cannot be read: {reason}") from error
        if self.password_variable not in os.environ:
            raise UserError(
                f"the environment variable {self.password_variable} is not set; it must hold the password of "
                f"{self.user} (metadata.password_variable names it), or metadata.password_file name a file that does"
            )
        return os.environ[self.password_variable]


@dataclass(frozen=True)
class PusherSettings(KeptVersions):
    """Where models go.

    Args:
        directory: directory of the model, which TF Serving watches and whose versions are directories; its last part is
            the name of the model.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("directory",)  # refused by a sentence of its own

    directory: str | None = None


@dataclass(frozen=True)
class Settings:
    """A pipeline.

    Args:
        name: name of the pipeline.
        root: directory of artifacts, metadata, reports and unfinished work; one pipeline has one root.
        example_gen: the images, as data_prep.images_to_tfrecords takes them; `input` and `image_size` are needed.
        beam_flags: flags for Beam in ExampleGen, like ["--runner=FlinkRunner"].
        example_validator: how much the data may differ.
        trainer: what decides the model besides the data.
        warm_start: whether training starts from the last blessed model that was trained on other data.
        evaluator: what a model must reach to be blessed.
        infra_validator: what a model must be able to do to be served.
        pusher: where models go; `directory` is needed.
        metadata: where ML Metadata records which artifact was made from which.
        kubeflow: what only `python -m pipeline.compile` needs.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("root",)  # refused by a sentence of its own

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
    """Returns the values of the preset by dotted name; the file and flags override them."""
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
    """Finds mistakes in the places of a pipeline; enough for commands that do not run it.

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
    check_local(settings.pusher.directory, "pusher.directory")
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
    if is_pattern(place) and not files.exists(place):
        expand(place)
    elif not place.startswith(TFDS_PREFIX) and not (files.is_folder(place) or files.exists(place)):
        raise UserError(f"example_gen.input {place} does not exist; name the images")


def _check_trainer(settings: Settings) -> None:
    wanted, size = settings.trainer.config, settings.example_gen.image_size
    assert size is not None and settings.root is not None  # checked before
    height, width = (size, size) if isinstance(size, int) else size
    # The number of domains is known after ExampleGen; the check assumes two.
    count = wanted.model.num_domains or 2
    domains = wanted.domains or tuple(f"domain{index}" for index in range(count))
    with _prefixed("trainer"):
        config.resolve(wanted, domains, (height, width))
    with _prefixed("trainer.export"):
        export.check(export.Arguments(run=settings.root, output=settings.root, **vars(settings.trainer.export)))
    network = settings.trainer.face_network
    if wanted.model.needs_face_network and not settings.warm_start and network is None:
        raise UserError(
            "trainer.face_network is missing: the high-pass skip (trainer.model.w_hpf) needs a face network, "
            "or trainer.model.face_masks false"
        )
    if network is not None and not Path(network).exists():
        raise UserError(f"trainer.face_network {network} does not exist")


def _check_metadata(metadata: MetadataSettings) -> None:
    if metadata.kind == "sqlite":
        return
    for name in ("host", "database", "user"):
        if getattr(metadata, name) is None:
            raise UserError(f"metadata.{name} is missing; metadata.kind {metadata.kind} needs it")
    metadata.password()


@contextlib.contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    """Turns flags in errors of a stage's own checks into fields of the file: `--steps` becomes `trainer.steps`."""
    try:
        yield
    except UserError as error:
        text = re.sub(r"--(?=[a-z])", f"{prefix}.", str(error))
        raise UserError(text if prefix in text else f"{prefix}: {text}") from error


def save(settings: Settings, path: Path) -> None:
    """Writes settings as a file that `load` reads."""
    plain = json.loads(json.dumps(dataclasses.asdict(settings)))  # Tuples become lists.
    write_text(path, yaml.safe_dump(plain, sort_keys=False))
