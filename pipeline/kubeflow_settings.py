"""Settings that only `python -m pipeline.compile` needs: resources of the stages on Kubeflow or Vertex AI."""

from dataclasses import dataclass, field
from typing import ClassVar

from stargan_tf.base.ranges import NonNegativeInt, PositiveFloat


@dataclass(frozen=True)
class StageSettings:
    """Resources of a stage on Kubeflow or Vertex AI.

    Args:
        cpus: number of processors.
        memory_gib: memory in GiB.
        gpus: number of accelerators.
        retries: how often a failed attempt is repeated.
        cache: whether the results of earlier runs with the same inputs and parameters are used.
    """

    cpus: PositiveFloat = 2.0
    memory_gib: PositiveFloat = 8.0
    gpus: NonNegativeInt = 0
    retries: NonNegativeInt = 2
    cache: bool = True


@dataclass(frozen=True)
class StagesSettings:
    """Resources of all stages.

    Args:
        example_gen: resources of ExampleGen; if its Beam job runs elsewhere, of the launcher only.
        statistics_gen: resources of StatisticsGen.
        schema_gen: resources of SchemaGen.
        example_validator: resources of ExampleValidator.
        trainer: resources of Trainer.
        evaluator: resources of Evaluator.
        infra_validator: resources of InfraValidator.
        pusher: resources of Pusher.
    """

    example_gen: StageSettings = field(default_factory=lambda: StageSettings(cpus=8.0, memory_gib=32.0))
    statistics_gen: StageSettings = field(default_factory=StageSettings)
    schema_gen: StageSettings = field(default_factory=StageSettings)
    example_validator: StageSettings = field(default_factory=StageSettings)
    trainer: StageSettings = field(default_factory=lambda: StageSettings(8.0, 52.0, gpus=1, retries=3))
    evaluator: StageSettings = field(default_factory=lambda: StageSettings(8.0, 52.0, gpus=1))
    infra_validator: StageSettings = field(default_factory=StageSettings)
    # not cached: versions lie outside of the pipeline, and may have been removed by hand
    pusher: StageSettings = field(default_factory=lambda: StageSettings(cache=False))


@dataclass(frozen=True)
class KubeflowSettings:
    """Where and how the stages run.

    Args:
        image: container image of the stages, as the Dockerfile makes it.
        root: where artifacts are stored, like gs://bucket/pipeline.
        work: directory that outlives a stage's container, so that training continues after an interruption: on a store
            (s3://bucket/work), /gcs/bucket/work on Vertex AI, or in one of `volumes`; without one, a retry starts from
            the beginning.
        volumes: on Kubeflow, names of persistent volume claims by the place where every stage finds them, like
            {"/serving": "models"}; pusher.directory lies in one of them, example_gen.input and work there or on a
            store.
        accelerator: kind of the GPUs; by default NVIDIA_TESLA_T4 on Vertex AI and nvidia.com/gpu on Kubeflow.
        stages: resources, retries and caching of each stage.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("root", "work")  # may lie on a store

    image: str | None = None
    root: str | None = None
    work: str | None = None
    volumes: dict[str, str] = field(default_factory=dict)
    accelerator: str | None = None
    stages: StagesSettings = field(default_factory=StagesSettings)
