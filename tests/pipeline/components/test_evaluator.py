import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline.components import evaluator
from pipeline.decision import Limits
from pipeline.model_fingerprint import fingerprint
from stargan_tf.base.errors import ExitCode
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import load_ema, save_ema

# One mode, few outputs: as much as a test has time for.
FLAGS = [
    "--evaluator.limits.modes=[latent]",
    "--evaluator.limits.floor=false",
    "--evaluator.measurement.outputs=4",
    "--evaluator.measurement.deterministic=false",
    "--evaluator.measurement.styles=2",
    "--evaluator.measurement.grid_sources=3",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def noisy_model(model_path, tmp_path_factory):
    """The same model with noise in its weights."""
    path = tmp_path_factory.mktemp("noisy") / "model"
    config = run_directory.load_config(model_path / "run")
    networks, step = load_ema(config, model_path / "run")
    random = np.random.default_rng(0)
    for network in (networks.generator, networks.mapping_network):
        network.set_weights([w + random.normal(0, 0.5, w.shape).astype(w.dtype) for w in network.get_weights()])
    run_directory.open_for_training(path / "run", config)
    save_ema(networks, step, config, path / "run")
    shutil.copytree(model_path / "Format-Serving", path / "Format-Serving")
    return path


def evaluate(model, data_path, cache, output, *flags):
    """Exit code, evaluation.json and reasons.json."""
    arguments = {
        "model": model,
        "examples": data_path,
        "evaluation": output / "evaluation",
        "blessing": output / "blessing",
        "cache": cache,
    }
    code = evaluator.main([*(f"--{name}={value}" for name, value in arguments.items()), *FLAGS, *flags])
    evaluation = json.loads((output / "evaluation" / "evaluation.json").read_text())
    return code, evaluation, json.loads((output / "blessing" / "reasons.json").read_text())


def test_a_model_made_worse_is_not_blessed(model_path, noisy_model, data_path, cache, tmp_path, capsys):
    code, evaluation, blessing = evaluate(
        noisy_model,
        data_path,
        cache,
        tmp_path,
        f"--blessed_model={model_path}",
        '--evaluator.limits.overall={"recall": 0}',
    )
    assert code == 3 and not blessing["blessed"]
    assert {path.name for path in (tmp_path / "blessing").iterdir()} == {"NOT_BLESSED", "reasons.json"}
    assert any(reason.startswith("latent-guided, overall: fid is ") for reason in blessing["reasons"])
    assert "not blessed: latent-guided" in capsys.readouterr().out
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    assert candidate["latent"]["mean"]["fid"] > 1.1 * blessed["latent"]["mean"]["fid"]
    for name in ("data", "extractor", "distance", "settings"):
        assert candidate[name] == blessed[name]
    assert candidate["extractor"]["name"] == "classifier" and candidate["weights"] != blessed["weights"]
    assert len(candidate["latent"]["tasks"]) == 6 and candidate["known_factors"]["latent"].keys() >= {"domain"}
    assert evaluation["reasons"] == blessing["reasons"]
    for model in ("candidate", "blessed"):
        for mode in ("latent", "reference"):
            with Image.open(tmp_path / "evaluation" / f"{model}_{mode}.png") as picture:
                assert picture.width > 3 * 64


def test_the_first_model_has_absolute_limits_only(model_path, data_path, cache, tmp_path):
    """And so has one whose predecessor knew other domains."""
    older = shutil.copytree(model_path, tmp_path / "older")
    config = run_directory.load_config(model_path / "run")
    (older / "run" / "config.yaml").unlink()
    shutil.rmtree(older / "run")
    run_directory.open_for_training(older / "run", replace(config, domains=("cat", "dog", "fox")))
    code, evaluation, blessing = evaluate(model_path, data_path, cache, tmp_path, f"--blessed_model={older}")
    assert code == 0 and blessing["blessed"]
    assert {path.name for path in (tmp_path / "blessing").iterdir()} == {"BLESSED", "reasons.json"}
    assert blessing["fingerprint"] == fingerprint(model_path / "Format-Serving") and blessing["step"] == 2
    assert evaluation["blessed"] is None
    assert evaluation["not_compared"] == (
        "the blessed model has the domains cat, dog, fox, the data circle, square, triangle"
    )
    assert evaluation["limits"]["modes"] == Limits(modes=["latent"]).modes


def test_without_limits_a_first_model_that_translates_nothing_is_below_the_floor(
    noisy_model, data_path, cache, tmp_path
):
    code, evaluation, blessing = evaluate(noisy_model, data_path, cache, tmp_path, "--evaluator.limits.floor=true")
    assert code == ExitCode.REFUSED and not blessing["blessed"]
    for task, measured in evaluation["candidate"]["latent"]["tasks"].items():
        # Of circles as squares: what is drawn of them must be nearer to squares than the circles are.
        assert 0 < evaluation["untranslated"][task] < measured["fid"]
        assert any(f"{task}: fid is" in reason and "the sources themselves" in reason for reason in blessing["reasons"])


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--evaluator.limits.overall={'ssim': 1}", "overall has 'ssim'; the measures are fid"),
        ("--evaluator.measurement.outputs=1", "--evaluator.measurement.outputs is 1; it must be at least 2"),
        ("--blessed_model=nowhere", "--blessed_model 'nowhere' has no run directory run"),
    ],
)
def test_a_mistake_gets_one_sentence(flag, sentence, model_path, data_path, tmp_path, capsys):
    arguments = [f"--model={model_path}", f"--examples={data_path}", f"--evaluation={tmp_path / 'evaluation'}"]
    assert evaluator.main([*arguments, f"--blessing={tmp_path / 'blessing'}", flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_served_must_be_what_is_measured(model_path, data_path, cache, tmp_path, capsys):
    model = shutil.copytree(model_path, tmp_path / "model")
    card = model / "Format-Serving" / "model_card.json"
    card.write_text(card.read_text().replace('"step": 2', '"step": 1', 1))
    arguments = [f"--model={model}", f"--examples={data_path}", f"--evaluation={tmp_path / 'evaluation'}"]
    assert evaluator.main([*arguments, f"--blessing={tmp_path / 'blessing'}", f"--cache={cache}", *FLAGS]) == 2
    assert "serves step 1, and the latest checkpoint of its run is of step 2" in capsys.readouterr().err
