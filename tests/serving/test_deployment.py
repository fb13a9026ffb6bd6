"""The files for TF Serving, Docker Compose and Kubernetes, read as those read them."""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from stargan_tf.base.errors import UserError
from stargan_tf.serving import deployment
from tests.serving_double.server import Double

MODEL = "StarGAN_v2"
SIZES = (1, 2, 4, 8)


@pytest.fixture
def directory(tmp_path) -> Path:
    directory = tmp_path / MODEL
    assert deployment.write(directory, MODEL, 1, SIZES) == []
    return directory


def test_first_version_is_stable_and_canary(directory):
    config = _model(directory)
    assert config.name == MODEL
    assert config.base_path == f"/models/{MODEL}"
    assert config.model_platform == "tensorflow"
    assert _versions(config) == [1]
    assert dict(config.version_labels) == {"stable": 1, "canary": 1}


def test_later_version_is_loaded_and_no_label_moves(directory):
    # A server refuses a file that moves a label to a version it has not loaded, and then does not load it either.
    (sentence,) = deployment.write(directory, MODEL, 2, SIZES)
    config = _model(directory)
    assert _versions(config) == [1, 2]
    assert dict(config.version_labels) == {"stable": 1, "canary": 1}
    assert "lists version 2" in sentence and "`canary` there (now 1)" in sentence


def test_numbers_may_be_edited_and_unlabelled_versions_are_given_up(directory):
    deployment.write(directory, MODEL, 2, SIZES)
    path = directory / "serving" / "models.config"
    promoted = path.read_text().replace("value: 1", "value: 2")
    assert promoted.count("value: 2") == 2
    path.write_text(promoted)
    (sentence,) = deployment.write(directory, MODEL, 5, SIZES)
    config = _model(directory)
    assert _versions(config) == [2, 5]
    assert dict(config.version_labels) == {"stable": 2, "canary": 2}
    assert "(now 2)" in sentence


def test_version_that_is_listed_changes_nothing(directory):
    path = directory / "serving" / "models.config"
    before = path.read_bytes()
    assert deployment.write(directory, MODEL, 1, SIZES) == []
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "# ours\n",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace('key: "canary"', 'key: "beta"'),
        lambda text: text.replace('model_platform: "tensorflow"', 'model_platform: "tensorflow" # sic'),
        lambda text: "",
    ],
    ids=["comment", "line ends", "label", "field", "empty"],
)
def test_edited_models_config_is_left_as_it_is(directory, edit):
    path = directory / "serving" / "models.config"
    edited = edit(path.read_text()).encode()
    path.write_bytes(edited)
    (sentence,) = deployment.write(directory, MODEL, 2, SIZES)
    assert path.read_bytes() == edited
    assert str(path) in sentence and "was edited" in sentence and "`versions: 2`" in sentence


def test_other_files_are_written_only_when_missing(directory):
    serving = directory / "serving"
    names = sorted(path.name for path in serving.iterdir())
    assert names == sorted(deployment.TEMPLATES)  # and nothing temporary is left
    original = (serving / "compose.yaml").read_bytes()
    for name in names:
        if name != "models.config":
            (serving / name).write_text("mine")
    (serving / "compose.yaml").unlink()
    deployment.write(directory, MODEL, 2, (1, 16))
    assert (serving / "compose.yaml").read_bytes() == original
    for name in ("batching.config", "monitoring.config", "kubernetes.yaml"):
        assert (serving / name).read_text() == "mine"


def test_files_can_be_read_by_a_server_of_another_user(directory):
    for path in (directory / "serving").iterdir():
        assert path.stat().st_mode & 0o044, path.name


def test_batching_obeys_the_rules_of_tf_serving(directory):
    batching = text_format.Parse(
        (directory / "serving" / "batching.config").read_text(), _messages()["BatchingParameters"]()
    )
    assert list(batching.allowed_batch_sizes) == list(SIZES)
    # A server that splits takes requests up to the first, and runs batches up to the second.
    assert batching.enable_large_batch_splitting.value
    assert batching.allowed_batch_sizes[-1] == batching.max_execution_batch_size.value == SIZES[-1]
    assert batching.max_batch_size.value == SIZES[-1]  # without a model card, whose limit it would be
    assert not batching.pad_variable_length_inputs
    for name in ("batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"):
        assert getattr(batching, name).value > 0


def test_requests_may_have_as_many_rows_as_the_model_takes(tmp_path):
    directory = tmp_path / MODEL
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model_card.json").write_text('{"limits": {"max_rows": 32}}')
    deployment.write(directory, MODEL, 1, SIZES)
    batching = text_format.Parse(
        (directory / "serving" / "batching.config").read_text(), _messages()["BatchingParameters"]()
    )
    assert batching.max_batch_size.value == 32
    assert list(batching.allowed_batch_sizes) == list(SIZES)
    assert batching.max_execution_batch_size.value == SIZES[-1]


def test_the_release_of_the_server_is_chosen(tmp_path):
    deployment.write(tmp_path / MODEL, MODEL, 1, SIZES, "2.19.1")
    assert _services(tmp_path / MODEL)["serving"]["image"] == "tensorflow/serving:${TF_SERVING_VERSION:-2.19.1}"
    (container,) = _deployment(tmp_path / MODEL)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "tensorflow/serving:2.19.1"


@pytest.mark.parametrize("sizes", [(), (0, 1), (1, 4, 2), (1, 1)])
def test_batch_sizes_that_do_not_rise_are_refused(tmp_path, sizes):
    with pytest.raises(ValueError, match="must rise"):
        deployment.write(tmp_path / MODEL, MODEL, 1, sizes)
    assert not (tmp_path / MODEL).exists()


def test_monitoring_is_on_at_the_path_that_is_scraped(directory):
    monitoring = text_format.Parse(
        (directory / "serving" / "monitoring.config").read_text(), _messages()["MonitoringConfig"]()
    )
    assert monitoring.prometheus_config.enable
    template = _deployment(directory)["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.prometheus_config.path
    assert int(annotations["prometheus.io/port"]) == _container_ports(template["spec"]["containers"][0])["rest"]


@pytest.mark.parametrize("service", ["serving", "serving-gpu"])
def test_compose_mounts_what_its_flags_name(directory, service):
    service = _services(directory)[service]
    (volume,) = service["volumes"]
    assert volume["read_only"] is True
    # Compose takes relative paths as seen from the file's own directory.
    source = (directory / "serving" / volume["source"]).resolve()
    _check_flags(service["command"], {volume["target"]: source}, directory)


def test_compose_opens_both_ports_on_this_machine_only(directory):
    ports = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", port) for port in _services(directory)["serving"]["ports"]]
    assert ports == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]


def test_compose_images_belong_together_and_only_one_starts_by_default(directory):
    services = _services(directory)
    assert services["serving-gpu"]["image"] == services["serving"]["image"] + "-gpu"
    assert "profiles" not in services["serving"]
    assert services["serving-gpu"]["profiles"] == ["gpu"]
    (device,) = services["serving-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and "gpu" in device["capabilities"]


def test_the_health_check_of_compose_looks_at_the_version_with_the_label(exported_model, session):
    test = _services(exported_model)["serving"]["healthcheck"]["test"]
    for labels, code in ((("stable",), 0), (("canary",), 1)):
        # Another version being served does not make the stable one healthy.
        with Double(exported_model, labels=labels, session=session) as double:
            host, port = double.rest_server.split(":")
            command = [word.replace("127.0.0.1/8501", f"{host}/{port}") for word in test[1:]]
            assert subprocess.run(command, timeout=60).returncode == code, labels


def test_compose_health_check_asks_for_the_stable_version(directory):
    kind, *command = _services(directory)["serving"]["healthcheck"]["test"]
    assert kind == "CMD" and command[:2] == ["bash", "-c"]
    assert "/dev/tcp/127.0.0.1/8501" in command[2]
    # Two characters each, as printf wants them, and no line end that would end the request early.
    assert rf"GET /v1/models/{MODEL}/labels/stable/metadata HTTP/1.0\r\n\r\n" in command[2]
    assert "\n" not in command[2]


def test_compose_takes_its_file_by_its_schema(directory):
    path = directory / "serving" / "compose.yaml"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text().replace("healthcheck:", "healthchecks:"))
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 1 and "'healthchecks' was unexpected" in done.stdout


def test_kubernetes_takes_the_manifest_by_its_schema(directory):
    for document in yaml.safe_load_all((directory / "serving" / "kubernetes.yaml").read_text()):
        kubernetes_validate.validate(document, "1.37", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document | {"spce": {}}, "1.37", strict=True)


def test_kubernetes_mounts_what_its_flags_name(directory):
    pod = _deployment(directory)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["models"]["readOnly"] is True
    assert {volume["name"] for volume in pod["volumes"]} == mounts.keys()
    # The root of the volume holds the model's directory.
    _check_flags(container["args"], {mounts["models"]["mountPath"]: directory.parent}, directory)


def test_kubernetes_probes_reach_ports_that_are_open(directory):
    (container,) = _deployment(directory)["spec"]["template"]["spec"]["containers"]
    ports = _container_ports(container)
    assert ports == {"grpc": 8500, "rest": 8501}
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": f"/v1/models/{MODEL}/labels/stable/metadata", "port": "rest"}
    assert container["livenessProbe"]["tcpSocket"]["port"] in ports
    # Loading and warming up take minutes for a large model.
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_kubernetes_service_finds_the_pods(directory):
    documents = _kubernetes(directory)
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert documents["Service"]["spec"]["selector"].items() <= labels.items()
    assert documents["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = _container_ports(documents["Deployment"]["spec"]["template"]["spec"]["containers"][0])
    assert {port["targetPort"]: port["port"] for port in documents["Service"]["spec"]["ports"]} == ports


def test_kubernetes_limits_and_rights(directory):
    spec = _deployment(directory)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["resources"]["limits"].keys() == container["resources"]["requests"].keys() == {"cpu", "memory"}
    threads = _flags(container["args"])["tensorflow_intra_op_parallelism"]
    assert threads == container["resources"]["limits"]["cpu"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_same_server_on_compose_and_kubernetes(directory):
    compose = _services(directory)["serving"]
    (container,) = _deployment(directory)["spec"]["template"]["spec"]["containers"]
    assert re.sub(r"\$\{\w+:-(.*?)\}", r"\1", compose["image"]) == container["image"]
    assert _flags(compose["command"]).items() <= _flags(container["args"]).items()


@pytest.mark.parametrize("name", ["stargan", "StarGAN_v2", "a", "afhq-256", "s" * 50])
def test_names_that_work_everywhere(tmp_path, name):
    deployment.write(tmp_path / name, name, 1, SIZES)
    assert _model(tmp_path / name).name == name
    for document in _kubernetes(tmp_path / name).values():  # what Kubernetes takes as a service's name
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", document["metadata"]["name"])
    project = yaml.safe_load((tmp_path / name / "serving" / "compose.yaml").read_text())["name"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project)


@pytest.mark.parametrize(
    "name", ["", "1", "star gan", "star/gan", "katze-", "gän", 'a"b', "a.b", "a:b", "s" * 51, "a\n"]
)
def test_names_that_do_not_work_are_refused_in_a_sentence(tmp_path, name):
    with pytest.raises(UserError, match="would be named") as error:
        deployment.write(tmp_path / "model", name, 1, SIZES)
    assert repr(name) in str(error.value)
    assert not (tmp_path / "model").exists()


def _model(directory: Path) -> model_server_config_pb2.ModelConfig:
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((directory / "serving" / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    return model


def _versions(config) -> list[int]:
    return list(config.model_version_policy.specific.versions)


def _services(directory: Path) -> dict:
    return yaml.safe_load((directory / "serving" / "compose.yaml").read_text())["services"]


def _kubernetes(directory: Path) -> dict[str, dict]:
    documents = yaml.safe_load_all((directory / "serving" / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def _deployment(directory: Path) -> dict:
    return _kubernetes(directory)["Deployment"]


def _container_ports(container: dict) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def _flags(arguments: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def _check_flags(arguments: list[str], mounts: dict[str, Path], directory: Path) -> None:
    """Checks that every file named by a flag lies where the mounts put it, and the model too."""
    flags = _flags(arguments)
    files = {flag: path for flag, path in flags.items() if flag.endswith("_file")}
    assert files.keys() == {"model_config_file", "batching_parameters_file", "monitoring_config_file"}
    for path in files.values():
        assert _outside(path, mounts).is_file(), path
    assert _outside(_model(directory).base_path, mounts).samefile(directory)
    assert flags["enable_batching"] == "true"  # without it the server refuses to start with batching parameters
    assert flags["allow_version_labels_for_unavailable_models"] == "true"  # without it, with labels
    assert int(flags["model_config_file_poll_wait_seconds"]) > 0


def _outside(path: str, mounts: dict[str, Path]) -> Path:
    (root,) = (root for root in mounts if Path(path).is_relative_to(root))
    return mounts[root] / Path(path).relative_to(root)


def _messages() -> dict[str, type]:
    """Makes the two messages that the package tensorflow-serving-api leaves out, of the fields that are published.

    See session_bundle_config.proto and monitoring_config.proto in github.com/tensorflow/serving.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="left_out.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    batching = file.message_type.add(name="BatchingParameters")
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    for number, name in enumerate(names, start=1):
        kind = ".google.protobuf.Int64Value"
        batching.field.add(name=name, number=number, type=field.TYPE_MESSAGE, type_name=kind, label=1)
    batching.field.add(name="allowed_batch_sizes", number=6, type=field.TYPE_INT64, label=3)
    batching.field.add(name="pad_variable_length_inputs", number=7, type=field.TYPE_BOOL, label=1)
    # Of these two only names and types are sure, which is all that counts in a text.
    for number, name, kind in ((8, "enable_large_batch_splitting", "Bool"), (9, "max_execution_batch_size", "Int64")):
        kind = f".google.protobuf.{kind}Value"
        batching.field.add(name=name, number=number, type=field.TYPE_MESSAGE, type_name=kind, label=1)
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=1)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=1)
    monitoring = file.message_type.add(name="MonitoringConfig")
    kind = ".tensorflow.serving.PrometheusConfig"
    monitoring.field.add(name="prometheus_config", number=1, type=field.TYPE_MESSAGE, type_name=kind, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{message.name}"))
        for message in file.message_type
    }
