"""Where stages in containers find and leave what lies outside of artifacts: on stores, or in volumes with a claim."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from data_prep.sources.tfds_source import PREFIX as TFDS_PREFIX
from pipeline.configuration import Settings
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

CONTAINERS_OWN = "/tmp/work"  # gone with the container

# What Vertex AI mounts by itself: buckets, and the NFS shares that a job names.
_OF_VERTEX = ("/gcs", "/mnt/nfs")


def check(settings: Settings, on_vertex: bool) -> None:
    """Finds places that a container would not find.

    Args:
        settings: checked.
        on_vertex: whether the pipeline is for Vertex AI, and not for Kubeflow Pipelines.

    Raises:
        UserError: the first one, with what would be right.
    """
    where = settings.kubeflow
    if not on_vertex and (where.accelerator or "").startswith("NVIDIA_"):
        raise UserError(
            f"kubeflow.accelerator is {where.accelerator}, a name of Vertex AI; on Kubeflow it must be that of a "
            "resource of the nodes, like nvidia.com/gpu"
        )
    if on_vertex and where.volumes:
        raise UserError("kubeflow.volumes are for Kubeflow only; Vertex AI has buckets at /gcs, and NFS at /mnt/nfs")
    for place, claim in where.volumes.items():
        if not place.startswith("/") or not claim:
            raise UserError(f"kubeflow.volumes has {place!r}: {claim!r}; it must have claims by absolute paths")
    if not files.is_remote(where.root or ""):
        raise UserError(f"kubeflow.root is {where.root}; it must be on a store, like gs://bucket/pipeline")
    mounted = _OF_VERTEX if on_vertex else tuple(where.volumes)
    for name, path in (
        ("example_gen.input", settings.example_gen.input),
        ("pusher.directory", settings.pusher.directory),
        ("kubeflow.work", where.work),
        ("trainer.face_network", settings.trainer.face_network),
    ):
        if path is None or files.is_remote(path) or path.startswith(TFDS_PREFIX):
            continue
        if not any(PurePosixPath(path).is_relative_to(volume) for volume in mounted):
            advice = (
                "it must lie below /gcs or /mnt/nfs"
                if on_vertex
                else f"it must lie in one of kubeflow.volumes ({', '.join(mounted) or 'there are none'})"
            )
            store = ", or on a store" if name in ("example_gen.input", "kubeflow.work") else ""
            raise UserError(f"{name} is {path}, which no container of the pipeline has; {advice}{store}")


def mounts(volumes: Mapping[str, str], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the second document of a file for Kubeflow: what every stage mounts.

    Args:
        volumes: names of claims by the place where they are mounted.
        spec: the first document.

    Returns:
        A PlatformSpec.
    """
    # As kfp-kubernetes writes it: `constant` for older servers, and what took its place.
    mounted = [
        {"constant": claim, "pvcNameParameter": {"runtimeValue": {"constant": claim}}, "mountPath": place}
        for place, claim in volumes.items()
    ]
    executors = {name: {"pvcMount": mounted} for name in spec["deploymentSpec"]["executors"]}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
