"""The compiled pipeline is what Vertex AI and Kubeflow's own back end accept."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("tfx", reason="TFX is not installed; make .venv/tfx does that")

from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.types import standard_artifacts

from pipeline import compile
from pipeline.compile import LAST_GOOD_MODEL
from pipeline.configuration import STAGES
from pipeline.orchestration import components as stages
from pipeline.orchestration import model_addresses
from pipeline.serving_directory import RECORD_FILE
from tests import stores
from tests.pipeline import tiny_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the small pipeline's images and configuration."""
    path = tmp_path_factory.mktemp("compiled")
    tiny_pipeline.write(path)
    return path


@pytest.fixture(scope="module")
def job(folder) -> dict[str, Any]:
    """What Vertex AI takes."""
    places = ["--pusher.directory=/mnt/nfs/serving/tiny", "--example_gen.input=tfds:beans", "--kubeflow.work=/gcs/b/w"]
    assert compiled(folder, "job.json", *places) == 0
    return json.loads((folder / "job.json").read_text())


@pytest.fixture(scope="module")
def documents(folder) -> tuple[dict, dict]:
    """What Kubeflow takes: the pipeline, and what its stages mount."""
    volumes = json.dumps({str(folder): "images-and-models", "/work": "unfinished"})
    assert compiled(folder, "compiled.yaml", f"--kubeflow.volumes={volumes}", "--kubeflow.work=/work/tiny") == 0
    pipeline, platform = yaml.safe_load_all((folder / "compiled.yaml").read_text())
    return pipeline, platform


def compiled(folder: Path, name: str, *flags: str) -> int:
    where = ["--kubeflow.image=image:1", "--kubeflow.root=gs://bucket/root", f"--output={folder / name}"]
    return compile.main([f"--config={folder / 'pipeline.yaml'}", *where, *flags])


def texts(value: Any) -> Iterator[str]:
    """Yields all text in nested values, also in JSON inside of text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(key)
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            yield value
        else:
            yield from [value] if isinstance(inner, str | int | float) else texts(inner)


def test_kubeflow_is_given_no_resolver_and_nothing_that_its_back_end_does_not_run(documents):
    pipeline, _ = documents
    spec = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    executors = pipeline["deploymentSpec"]["executors"]
    assert {kind for executor in executors.values() for kind in executor} == {"container"}
    tasks = spec.root.dag.tasks
    assert set(tasks) == {*STAGES, LAST_GOOD_MODEL}
    for name, task in tasks.items():
        component = pipeline["components"][task.component_ref.name]
        assert component["executorLabel"] in executors
        for source in task.inputs.artifacts.values():
            producer = source.task_output_artifact
            outputs = pipeline["components"][tasks[producer.producer_task].component_ref.name]["outputDefinitions"]
            assert producer.output_artifact_key in outputs["artifacts"]
            assert producer.producer_task in task.dependent_tasks, name
    assert tasks["Evaluator"].inputs.artifacts["blessed_model"].task_output_artifact.producer_task == LAST_GOOD_MODEL
    assert not tasks[LAST_GOOD_MODEL].caching_options.enable_cache


def test_every_path_for_kubeflow_is_on_a_store_or_in_a_volume(documents, folder):
    pipeline, platform = documents
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors.keys() == pipeline["deploymentSpec"]["executors"].keys()
    (mounts,) = {json.dumps(executor["pvcMount"]) for executor in executors.values()}
    claims = {mount["mountPath"]: mount["constant"] for mount in json.loads(mounts)}
    assert claims == {str(folder): "images-and-models", "/work": "unfinished"}
    for mount in json.loads(mounts):
        assert mount["pvcNameParameter"] == {"runtimeValue": {"constant": mount["constant"]}}
    values = [task["inputs"]["parameters"] for task in pipeline["root"]["dag"]["tasks"].values() if task.get("inputs")]
    paths = {text for text in texts(values) if re.match(r"\.{0,2}/|\w+/", text)}
    assert {str(folder / "images"), str(folder / "serving" / "tiny"), "/work/tiny", "/work/tiny/cache"} <= paths
    assert [path for path in paths if not path.startswith(tuple(claims))] == []


def test_kfp_loads_it(documents, folder):
    assert components.load_component_from_file(str(folder / "compiled.yaml")).name == "tiny"


def test_vertex_is_given_resources_retries_and_caches(job):
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    tasks = spec.root.dag.tasks
    assert set(tasks["Pusher"].dependent_tasks) == {"Trainer", "Evaluator", "InfraValidator"}
    assert tasks["Trainer"].retry_policy.max_retry_count == 3
    assert tasks["Trainer"].caching_options.enable_cache
    assert not tasks["Pusher"].caching_options.enable_cache
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    assert "accelerator" not in executors["SchemaGen_executor"]["container"]["resources"]
    assert {executors[f"{stage}_executor"]["container"]["image"] for stage in STAGES} == {"image:1"}


def test_each_has_accelerators_by_its_own_name(job, documents):
    for spec, name in ((job["pipelineSpec"], "NVIDIA_TESLA_T4"), (documents[0], "nvidia.com/gpu")):
        accelerator = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["resources"]["accelerator"]
        assert (accelerator["type"], accelerator["resourceType"], accelerator["count"]) == (name, name, "1")


@pytest.mark.parametrize(
    ("output", "flags", "sentence"),
    [
        ("a.yaml", [], "example_gen.input is .*images, which no container of the pipeline has; it must lie in one of"),
        ("a.yaml", ["--example_gen.input=tfds:beans"], "pusher.directory is .*kubeflow.volumes .there are none.$"),
        ("a.json", ["--example_gen.input=tfds:beans"], "pusher.directory is .*must lie below /gcs or /mnt/nfs$"),
        ("a.yaml", ["--kubeflow.accelerator=NVIDIA_TESLA_T4"], "kubeflow.accelerator is NVIDIA_TESLA_T4, a name of V"),
        ("a.json", ['--kubeflow.volumes={"/a": "b"}'], "kubeflow.volumes are for Kubeflow only"),
        ("a.yaml", ['--kubeflow.volumes={"a": "b"}'], "kubeflow.volumes has 'a': 'b'; it must"),
        ("a.yaml", ["--kubeflow.root=work/pipeline"], "kubeflow.root is work/pipeline; it must be on a store"),
    ],
)
def test_what_no_container_would_find_is_a_mistake(output, flags, sentence, folder, capsys):
    assert compiled(folder, output, *flags) == 2
    assert re.search(sentence, capsys.readouterr().err.strip(), re.MULTILINE)
    assert not (folder / output).exists()


def test_without_resolvers_the_model_that_is_served_is_found(tmp_path, request):
    store = stores.new_store("memory", request)
    serving = tmp_path / "tiny"

    def found(name: str) -> str | None:
        model = standard_artifacts.Model()
        model.uri = f"{store}/{name}"
        find = stages.LastGoodModel.EXECUTOR_SPEC.executor_class._FUNCTION
        find(model=model, serving=str(serving), code_version="")
        return stages._address(model)

    assert found("none") is None
    for version, content in (("1", "one"), ("2", "two"), ("3", "one")):  # the third is a roll-back to the first
        (serving / version).mkdir(parents=True)
        (serving / version / RECORD_FILE).write_text(json.dumps({"fingerprint": content, "rollback_of": None}))
        if version != "3":
            model_addresses.note(str(serving), content, f"{store}/model-{content}")
        assert found(version) == f"{store}/model-{content}"
    assert stages._address(None) is None


def test_a_model_on_this_machine_is_not_noted(tmp_path):
    model_addresses.note(str(tmp_path), "one", str(tmp_path / "model"))
    assert list(tmp_path.iterdir()) == []
    assert model_addresses.followed(str(tmp_path)) == str(tmp_path)
