"""The configuration: what it fills in, and that a mistake is told before anything runs."""

import pytest
import yaml

from pipeline import configuration, run
from tests.pipeline import tiny_pipeline


@pytest.fixture(scope="module")
def file(images_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("configuration")
    values = tiny_pipeline.CONFIGURATION | {
        "root": str(folder / "root"),
        "example_gen": {"image_size": 16, "input": str(images_path)},
        "pusher": {"directory": str(folder / "serving" / "tiny")},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_the_quickstart_of_the_makefile_is_in_order(images_path):
    settings = configuration.load(
        "pipeline/quickstart.yaml", [f"--example_gen.input={images_path}", "--trainer.losses.lambda_ds=0.5"]
    )
    configuration.check(settings)
    # Weakest first: the preset, the file, flags.
    assert settings.trainer.optimizers.learning_rate == 5e-4
    assert settings.trainer.training.steps == 7000
    assert settings.evaluator.limits.overall == {"domain": 0.8}
    assert settings.trainer.losses.lambda_ds == 0.5
    # A stage keeps its own defaults where the file says nothing.
    assert settings.kubeflow.stages.trainer.gpus == 1


def test_what_is_saved_is_loaded(file, tmp_path):
    settings = configuration.load(file)
    configuration.save(settings, tmp_path / "saved.yaml")
    assert configuration.load(tmp_path / "saved.yaml") == settings


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--name=Tiny", "name is 'Tiny'"),
        ("--root=gs://bucket/root", "it must be a local directory"),
        ("--example_gen.input=nowhere", "example_gen.input nowhere does not exist"),
        ("--example_gen.quality=0", "example_gen.quality is 0; it must be from 1 to 95"),
        ("--example_gen.output=here", "example_gen.output cannot be set"),
        ("--example_gen.image_size=18", "example_gen: image size 18x18 cannot work"),
        ("--example_validator.max_rejected=2", "example_validator.max_rejected is 2"),
        ("--trainer.preset=afhq", "there is no preset 'afhq'"),
        ("--trainer.model.image_size=32", "set trainer.model.image_size to the data's"),
        ("--trainer.training.steps=0", "trainer.training.steps is 0"),
        ("--trainer.training.stepz=1", "stepz"),
        ("--trainer.export.batch_sizes=[2,1]", "trainer.export.batch_sizes is [2, 1]"),
        ("--trainer.face_network=nowhere", "trainer.face_network nowhere does not exist"),
        ('--evaluator.limits.overall={"fud": 1}', "overall has 'fud'"),
        ("--evaluator.measurement.outputs=1", "outputs is 1"),
        ("--infra_validator.time_limit=0", "infra_validator.time_limit is 0"),
        ("--pusher.keep=0", "pusher.keep is 0"),
        ("--pusher.directory=/serving/1tiny", "'1tiny'"),
        ("--metadata.kind=mysql", "metadata.host is missing"),
    ],
)
def test_a_mistake_is_one_sentence_before_the_first_stage(file, flag, sentence, capsys):
    assert run.main([f"--config={file}", flag]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert not (file.parent / "root").exists()


def test_a_database_needs_its_password(file, monkeypatch, capsys):
    flags = ["--metadata.kind=postgresql", "--metadata.host=db", "--metadata.database=d", "--metadata.user=u"]
    monkeypatch.delenv("METADATA_PASSWORD", raising=False)
    assert run.main([f"--config={file}", *flags]) == 2
    assert "METADATA_PASSWORD is not set" in capsys.readouterr().err


def test_what_is_left_out_is_asked_for(tmp_path, capsys):
    for content, sentence in (("{}", "root is missing"), ("root: r", "pusher.directory is missing")):
        (tmp_path / "some.yaml").write_text(content)
        assert run.main([f"--config={tmp_path / 'some.yaml'}"]) == 2
        assert sentence in capsys.readouterr().err
