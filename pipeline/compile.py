"""Compiles the pipeline for Kubeflow Pipelines and Vertex AI: `python -m pipeline.compile --config FILE --output FILE`.

The stages are wired as in `pipeline.run`. Vertex AI takes the PipelineJob of a .json file; Kubeflow Pipelines version 2
takes the specification of a .yaml file.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline import configuration, kubeflow_places
from pipeline.configuration import STAGES, Settings
from pipeline.kubeflow_settings import StageSettings
from pipeline.orchestration.input_fingerprint import fingerprint
from stargan_tf.base import command_line, extras, files
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text

PROGRAM = "python -m pipeline.compile"
DESCRIPTION = "Writes the pipeline for Vertex AI (a .json file) or Kubeflow Pipelines (a .yaml file)."

# Seconds before a failed attempt is repeated, doubled each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 60, 3600

LAST_GOOD_MODEL = "LastGoodModel"  # the stage that stands for resolvers, which Kubeflow's own back end does not know


@dataclass(frozen=True)
class Arguments(Settings):
    """A pipeline, and where to write it.

    Args:
        output: file to write, ending in .json or .yaml; an existing one is replaced.
    """

    output: str = "pipeline.json"


def run(arguments: Arguments) -> None:
    """Writes the file.

    Raises:
        UserError: a mistake in the configuration.
    """
    output = Path(arguments.output)
    if output.suffix not in (".json", ".yaml"):
        raise UserError(f"--output {arguments.output} should end in .json (Vertex AI) or .yaml (Kubeflow Pipelines)")
    configuration.check(arguments)
    for name in ("image", "root"):
        if getattr(arguments.kubeflow, name) is None:
            raise UserError(f"kubeflow.{name} is missing; python -m pipeline.compile needs it")
    on_vertex = output.suffix == ".json"
    kubeflow_places.check(arguments, on_vertex)
    job = compile_job(arguments, on_vertex)
    if on_vertex:
        text = json.dumps(job, indent=1)
    else:
        documents = [job["pipelineSpec"]]
        if arguments.kubeflow.volumes:
            documents.append(kubeflow_places.mounts(arguments.kubeflow.volumes, job["pipelineSpec"]))
        text = yaml.safe_dump_all(documents)
    write_text(output, f"{text}\n")
    print(f"{'Vertex AI' if output.suffix == '.json' else 'Kubeflow Pipelines'}: {output}")


def compile_job(settings: Settings, on_vertex: bool = True) -> dict[str, Any]:
    """Compiles the pipeline.

    Args:
        settings: checked, with `kubeflow.image` and `kubeflow.root`.
        on_vertex: whether it is for Vertex AI, and not for Kubeflow Pipelines' own back end.

    Returns:
        A PipelineJob, with resources, retries and caching of each stage.
    """
    extras.require("pipeline", "tfx", "kfp")
    with command_line.quiet_start():
        from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
            KubeflowV2DagRunner,
            KubeflowV2DagRunnerConfig,
        )

        from pipeline.orchestration.wiring import create_pipeline
    where = settings.kubeflow
    assert where.root is not None
    # Without a directory that outlives the container, a retry trains from the start.
    work = kubeflow_places.CONTAINERS_OWN if where.work is None else where.work
    lasting = kubeflow_places.CONTAINERS_OWN if files.is_remote(work) else work  # the Evaluator's cache is local
    accelerator = where.accelerator or ("NVIDIA_TESLA_T4" if on_vertex else "nvidia.com/gpu")
    pipeline = create_pipeline(
        settings, fingerprint(settings.input), where.root, work, f"{lasting}/cache", on_kubeflow=True
    )
    config = KubeflowV2DagRunnerConfig(default_image=where.image, use_pipeline_spec_2_1=True)
    job = KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    for stage in STAGES:
        wanted: StageSettings = getattr(where.stages, field_of(stage))
        # TFX can only cache whole pipelines, and retries nothing.
        tasks[stage]["cachingOptions"] = {"enableCache": True} if wanted.cache else {}
        tasks[stage]["retryPolicy"] = {
            "maxRetryCount": wanted.retries,
            "backoffDuration": f"{_FIRST_PAUSE}s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": f"{_LONGEST_PAUSE}s",
        }
        executors[f"{stage}_executor"]["container"]["resources"] = _resources(wanted, accelerator)
    tasks[LAST_GOOD_MODEL]["cachingOptions"] = {}  # what is served changes without a change of its inputs
    return job


def field_of(stage: str) -> str:
    """Returns the field with the settings of a stage: example_gen for ExampleGen."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stage).lower()


def _resources(wanted: StageSettings, accelerator: str) -> dict[str, Any]:
    """Resources of a container, as numbers for Vertex AI and older servers, and as text, which newer ones prefer."""
    resources: dict[str, Any] = {
        "cpuLimit": wanted.cpus,
        "memoryLimit": wanted.memory_gib * 1.073741824,  # GB
        "resourceCpuLimit": f"{wanted.cpus:g}",
        "resourceMemoryLimit": f"{wanted.memory_gib:g}Gi",
    }
    if wanted.gpus:
        count = wanted.gpus
        resources["accelerator"] = {
            "type": accelerator,
            "count": str(count),  # protocol buffers write 64 bit integers in JSON as text
            "resourceType": accelerator,
            "resourceCount": str(count),
        }
    return resources


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv, defaults=configuration.defaults)


if __name__ == "__main__":
    sys.exit(main())
