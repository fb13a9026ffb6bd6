import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from stargan_tf import train
from stargan_tf.base.command_line import parse
from stargan_tf.base.errors import UserError
from stargan_tf.config import (
    PRESETS,
    Config,
    DataConfig,
    ImageConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    changeable_fields,
    check,
    check_image_size,
    check_replicas,
    check_same_run,
    flatten,
    load,
    preset,
    resolve,
    save,
    total_stride,
)

EARLIER = """\
domains:
- circle
- square
model:
  image_size: 32
  num_domains: 2
  latent_dim: 16
  style_dim: 16
  hidden_dim: 64
  base_channels: 16
  max_channels: 64
  w_hpf: 0.0
  face_masks: true
  spectral_norm: false
  fused: null
losses:
  adversarial: logistic
  lambda_reg: 1.0
  reg_every: 1
  lambda_sty: 1.0
  lambda_ds: 1.0
  ds_iter: 5500
  lambda_cyc: 1.0
  differentiable_augmentation: []
optimizers:
  learning_rate: 0.0005
  mapping_learning_rate: 5.0e-05
  beta_1: 0.0
  beta_2: 0.99
  epsilon: 1.0e-08
  l2: 0.0001
  ema_decay: 0.995
input:
  batch_size: 8
  reader_processes: 0
  max_corrupt_records: 0
  crop_probability: 0.0
  crop_area:
  - 0.8
  - 1.0
  crop_ratio:
  - 0.9
  - 1.1
  flip_probability: 0.5
training:
  steps: 7000
  seed: 0
  precision: float32
  tf32: true
  strategy: auto
  devices: null
  threads_per_op: 1
  microbatches: 1
  steps_per_call: 1
  rematerialize: false
  jit_compile: false
  deterministic: false
  on_nonfinite: stop
  max_rollbacks: 3
  log_every: 50
  sample_every: 500
  checkpoint_every: 500
  keep_checkpoints: 3
  profile_steps: null
  eval_every: 0
  eval_sources: 50
  eval_extractor: classifier
  eval_distance: classifier
  eval_metric: fid
  keep_best: true
"""
"""As the code before wrote it for `--preset quickstart`, which is `known_factors` now."""

COMPLETE = Config(domains=("cat", "dog"), images=ImageConfig().known(), model=ModelConfig(image_size=32, num_domains=2))


def changed(name: str, value) -> Config:
    """Returns `COMPLETE` with one field, given by its dotted name, changed."""
    group, field = name.split(".")
    return replace(COMPLETE, **{group: replace(getattr(COMPLETE, group), **{field: value})})


# ---------------------------------------------------------------------- presets


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_valid_once_the_data_is_known(name):
    given = preset(name)
    size = given.model.image_size or 32
    resolved = resolve(given, ["a", "b", "c"][: given.model.num_domains or 3], (size, size))
    assert resolved.model.size == (size, size)


@pytest.mark.parametrize(
    ("name", "num_domains", "lambda_ds", "w_hpf"), [("afhq_256", 3, 2.0, 0.0), ("celeba_hq_256", 2, 1.0, 1.0)]
)
def test_presets_carry_the_published_numbers(name, num_domains, lambda_ds, w_hpf):
    values = flatten(preset(name))
    published = {
        "model.image_size": 256,
        "model.num_domains": num_domains,
        "model.latent_dim": 16,
        "model.style_dim": 64,
        "model.hidden_dim": 512,
        "model.max_channels": 512,
        "model.w_hpf": w_hpf,
        "model.spectral_norm": False,
        "losses.adversarial": "logistic",
        "losses.lambda_reg": 1.0,
        "losses.lambda_sty": 1.0,
        "losses.lambda_ds": lambda_ds,
        "losses.ds_iter": 100_000,
        "losses.lambda_cyc": 1.0,
        "optimizers.learning_rate": 1e-4,
        "optimizers.mapping_learning_rate": 1e-6,
        "optimizers.beta_1": 0.0,
        "optimizers.beta_2": 0.99,
        "optimizers.epsilon": 1e-8,
        "optimizers.l2": 1e-4,
        "optimizers.ema_decay": 0.999,
        "input.batch_size": 8,
        "input.crop_probability": 0.5,
        "input.crop_area": (0.8, 1.0),
        "input.crop_ratio": (0.9, 1.1),
        "input.flip_probability": 0.5,
        "training.steps": 100_000,
    }
    assert {key: values[key] for key in published} == published
    assert preset(name).model.full_resolution_channels == 64


def test_photos_64_is_for_small_machines():
    values = flatten(preset("photos_64"))
    assert (values["model.image_size"], values["model.base_channels"], values["model.max_channels"]) == (64, 16, 96)
    assert values["training.precision"] == "float32"  # which every machine has
    assert values["losses.ds_iter"] > values["training.steps"]


def test_an_unknown_preset_is_named_and_so_are_those_there_are():
    with pytest.raises(UserError, match=r"'afhq'.*afhq_256, celeba_hq_256, known_factors, photos_64"):
        preset("afhq")


@pytest.mark.parametrize(("size", "channels"), [(256, 64), (128, 128), ((192, 256), 128), (16, 1024)])
def test_channels_at_full_resolution(size, channels):
    assert ModelConfig(image_size=size).full_resolution_channels == channels
    assert ModelConfig(image_size=size, base_channels=7).full_resolution_channels == 7


# ---------------------------------------------------------------------- YAML


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        preset("known_factors"),
        Config(
            domains=("cat", "it's", "1", "null"),
            model=ModelConfig(image_size=(32, 48), num_domains=4, base_channels=12, w_hpf=0.5, spectral_norm=True),
            losses=LossConfig(adversarial="hinge", lambda_ds=0.0),
            optimizers=OptimizerConfig(learning_rate=1e-5, epsilon=1e-8),
            input=DataConfig(crop_area=(0.25, 0.75)),
            training=RunConfig(precision="mixed_bfloat16", threads_per_op=3, seed=17),
        ),
    ],
)
def test_what_is_saved_is_what_is_loaded(config, tmp_path):
    save(config, tmp_path / "config.yaml")
    assert load(tmp_path / "config.yaml") == config


def test_a_saved_configuration_is_plain_yaml(tmp_path):
    save(replace(COMPLETE, model=ModelConfig(image_size=(32, 48))), tmp_path / "config.yaml")
    values = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert values["domains"] == ["cat", "dog"]
    assert values["model"]["image_size"] == [32, 48]
    assert values["model"]["num_domains"] is None
    assert list(values) == ["domains", "images", "model", "losses", "optimizers", "input", "training"]


def test_what_a_file_leaves_out_has_its_default(tmp_path):
    (tmp_path / "config.yaml").write_text("model: {style_dim: 5}\n")
    assert load(tmp_path / "config.yaml") == Config(model=ModelConfig(style_dim=5))


def test_a_missing_file_and_an_unknown_field_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no configuration file '.*nowhere\.yaml'"):
        load(tmp_path / "nowhere.yaml")
    (tmp_path / "config.yaml").write_text("model: {style_dimension: 5}\n")
    with pytest.raises(UserError, match="style_dimension"):
        load(tmp_path / "config.yaml")


# It lacks the field that is gone, and has those that earlier versions did not have.
WRITTEN_NOW = (
    EARLIER.replace("  reader_processes: 0\n", "")
    .replace("model:", "images:\n  fit: null\n  background: null\n  value_range: null\nmodel:")
    .replace("  threads_per_op:", "  require_gpu: false\n  threads_per_op:")
    .replace("  jit_compile:", "  memory_pool: true\n  jit_compile:")
)


def test_the_configuration_of_an_earlier_version_is_read_in_silence(tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text(EARLIER)
    config = load(path)
    assert config == Config(
        domains=("circle", "square"),
        model=ModelConfig(32, 2, base_channels=16, max_channels=64, style_dim=16, hidden_dim=64),
        losses=LossConfig(ds_iter=5500),
        optimizers=OptimizerConfig(learning_rate=5e-4, mapping_learning_rate=5e-5, ema_decay=0.995),
        input=DataConfig(crop_probability=0.0),
        training=RunConfig(steps=7000, threads_per_op=1, sample_every=500, checkpoint_every=500),
    )
    check(config)
    check_same_run(config, resolve(preset("known_factors"), ("circle", "square"), (32, 32)), RUN)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    save(config, path)
    assert path.read_text() == WRITTEN_NOW


def test_a_file_of_an_earlier_version_may_be_given_to_commands(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(EARLIER)
    settings = train.Arguments(data="data", run="run", **vars(load(path)))
    assert parse(train.Arguments, ["--config", str(path), "--data=data", "--run=run"], "train") == settings
    path.write_text("trainer: {input: {reader_processes: 2, batch_size: 3}}\n")
    assert parse(Nested, ["--config", str(path)], "pipeline").trainer.input.batch_size == 3
    with pytest.raises(UserError, match="reader_processes"):
        parse(train.Arguments, ["--data=data", "--run=run", "--input.reader_processes=2"], "train")


@dataclass(frozen=True)
class Nested:
    """Settings with those of a run in a section, as the pipeline has them.

    Args:
        trainer: the section.
    """

    trainer: Config = field(default_factory=Config)


def test_other_unknown_fields_stay_errors_beside_an_old_one(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("input: {reader_processes: 2, reader_process: 7}\n")
    with pytest.raises(UserError, match=r"reader_process\b") as raised:
        load(path)
    assert str(path) in str(raised.value)
    path.write_text("model: {reader_processes: 2}\n")
    with pytest.raises(UserError, match=r"reader_processes"):
        load(path)
    for text in ("", "- input\n", "input: [\n", "input: 3\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=re.escape(str(path))):
            load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {steps: 0}", "--training.steps is 0; it must be at least 1"),
        ("training: {steps: many}", "--training.steps is 'many'; it must be a whole number, at least 1"),
        ("training: {steps: true}", "--training.steps is 'True'; it must be"),
        ("training: {steps: 7.5}", "--training.steps is 7.5; it must be"),
        ("training: {devices: 0}", "--training.devices is 0; it must be at least 1"),
        ("optimizers: {ema_decay: 1}", "--optimizers.ema_decay is 1; it must be at least 0 and below 1"),
        ("losses: {adversarial: wgan}", "--losses.adversarial is 'wgan'; it must be one of logistic, least_squares, "),
    ],
)
def test_a_value_out_of_range_is_named_in_a_file_too(text, message, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        load(path)


def test_flatten_names_values_as_flags():
    values = flatten(replace(COMPLETE, model=ModelConfig(image_size=(32, 48))))
    assert values["domains"] == ("cat", "dog")
    assert values["model.image_size"] == (32, 48)
    assert values["model.num_domains"] is None
    assert values["training.seed"] == 0
    assert not [name for name, value in values.items() if isinstance(value, dict)]


# ---------------------------------------------------------------------- configuration and data


def test_resolve_fills_in_what_the_data_decides():
    resolved = resolve(Config(), ["cat", "dog", "fox"], (32, 32))
    assert resolved == Config(
        domains=("cat", "dog", "fox"),
        images=ImageConfig("crop", (255, 255, 255), "full"),
        model=ModelConfig(image_size=32, num_domains=3),
    )
    assert resolve(Config(), ["cat", "dog"], (32, 48)).model.image_size == (32, 48)


def test_resolve_keeps_what_agrees():
    assert resolve(COMPLETE, ["cat", "dog"], (32, 32)) == COMPLETE
    given = replace(COMPLETE, model=replace(COMPLETE.model, image_size=(32, 32)))
    assert resolve(given, ["cat", "dog"], (32, 32)).model.size == (32, 32)


@pytest.mark.parametrize(
    ("domains", "size", "message"),
    [
        (["dog", "cat"], (32, 32), "domains are cat, dog but the data's are dog, cat"),
        (["cat", "dog", "fox"], (32, 32), "domains are cat, dog but the data's are cat, dog, fox"),
        (["cat", "dog"], (32, 48), "image size is 32x32 but the data's is 32x48"),
    ],
)
def test_a_disagreement_names_both_sides(domains, size, message):
    with pytest.raises(UserError, match=message):
        resolve(COMPLETE, domains, size)


PADDED = ImageConfig("pad", (0, 0, 0), (0, 4095))


def test_how_images_were_prepared_is_taken_from_the_data():
    assert resolve(Config(), ["cat", "dog"], (32, 32), PADDED).images == PADDED
    assert resolve(Config(images=PADDED), ["cat", "dog"], (32, 32), PADDED).images == PADDED
    # Data of other programs do not say how they were prepared.
    assert resolve(Config(images=PADDED), ["cat", "dog"], (32, 32)).images == PADDED
    assert resolve(Config(), ["cat", "dog"], (32, 32), ImageConfig(fit="stretch")).images == ImageConfig(
        "stretch", (255, 255, 255), "full"
    )


def test_a_configuration_that_contradicts_how_the_data_were_prepared_is_refused():
    message = r"images\.fit is crop but the data were prepared with pad"
    with pytest.raises(UserError, match=message):
        resolve(COMPLETE, ["cat", "dog"], (32, 32), PADDED)
    message = r"images\.background is 255, 255, 255 but the data were prepared with 0, 0, 0"
    with pytest.raises(UserError, match=message):
        resolve(COMPLETE, ["cat", "dog"], (32, 32), ImageConfig("crop", (0, 0, 0)))


def test_a_run_that_did_not_record_how_images_were_prepared_goes_on():
    earlier = replace(COMPLETE, images=ImageConfig())
    check_same_run(earlier, replace(COMPLETE, images=PADDED), RUN)
    with pytest.raises(UserError, match=r"images\.fit is crop there and pad now"):
        check_same_run(COMPLETE, replace(COMPLETE, images=PADDED), RUN)


def test_another_number_of_domains_names_both_and_the_flag():
    with pytest.raises(UserError, match=r"has 2 domains but the data has 3 \(a, b, c\).*--model\.num_domains 3"):
        resolve(replace(COMPLETE, domains=None), ["a", "b", "c"], (32, 32))


def test_resolve_checks_the_result():
    with pytest.raises(UserError, match="100x100 cannot work"):
        resolve(Config(), ["a", "b"], (100, 100))
    with pytest.raises(UserError, match=r"--model\.num_domains is 1; it must be at least 2"):
        resolve(Config(), ["a"], (32, 32))


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    "size", [(16, 16), (20, 28), (32, 32), (48, 48), (32, 48), (96, 96), (192, 256), (256, 192), (256, 256), (512, 512)]
)
def test_sizes_that_work(size):
    check_image_size(size)


@pytest.mark.parametrize(
    ("size", "stride"),
    [((16, 16), 4), ((28, 64), 4), ((32, 32), 8), ((48, 48), 8), ((64, 64), 16), ((192, 256), 32), ((256, 256), 64)],
)
def test_strides_follow_the_shorter_side(size, stride):
    assert total_stride(size) == stride


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((18, 18), (16, 20)),
        ((33, 33), (32, 40)),
        ((36, 64), (32, 40)),
        ((64, 36), (32, 40)),
        ((63, 63), (56, 64)),
        ((100, 100), (96, 112)),
        ((250, 250), (224, 256)),
        ((300, 300), (256, 320)),
    ],
)
def test_a_size_that_cannot_work_is_named_with_the_nearest_that_do(size, nearest):
    with pytest.raises(UserError) as raised:
        check_image_size(size)
    message = str(raised.value)
    assert message.startswith(f"image size {size[0]}x{size[1]} cannot work")
    assert tuple(map(int, re.search(r"for example (\d+) or (\d+)$", message).groups())) == nearest
    for side in nearest:
        check_image_size((side, side))


def test_the_longer_side_counts_too():
    with pytest.raises(UserError, match=r"32x50 cannot work.*multiples of 8"):
        check_image_size((32, 50))


@pytest.mark.parametrize("size", [(15, 15), (8, 64), (64, 12), (0, 0)])
def test_a_size_that_is_too_small(size):
    with pytest.raises(UserError, match=f"{size[0]}x{size[1]} is too small.*at least 16"):
        check_image_size(size)


@pytest.mark.parametrize("size", [32, 64, 128, 256, (64, 64)])
def test_sizes_that_the_high_pass_skip_takes(size):
    check(replace(COMPLETE, model=replace(COMPLETE.model, image_size=size, w_hpf=1.0)))


@pytest.mark.parametrize("size", [16, 48, 96, (32, 64), 192])
def test_sizes_that_the_high_pass_skip_does_not_take(size):
    model = replace(COMPLETE.model, image_size=size)
    check(replace(COMPLETE, model=model))
    named = "x".join(map(str, model.size))
    with pytest.raises(UserError, match=rf"model\.w_hpf 1\.0.*square.*power of two.*not {named}"):
        check(replace(COMPLETE, model=replace(model, w_hpf=1.0)))


# ---------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.num_domains", 1),
        ("model.latent_dim", 0),
        ("model.style_dim", 0),
        ("model.hidden_dim", -1),
        ("model.base_channels", 0),
        ("model.max_channels", 0),
        ("model.w_hpf", -0.5),
        ("losses.lambda_reg", -1.0),
        ("losses.lambda_sty", -1.0),
        ("losses.lambda_ds", -0.1),
        ("losses.lambda_cyc", float("nan")),
        ("losses.ds_iter", 0),
        ("optimizers.l2", -1e-4),
        ("optimizers.learning_rate", 0.0),
        ("optimizers.mapping_learning_rate", -1e-6),
        ("optimizers.epsilon", 0.0),
        ("optimizers.beta_1", -0.1),
        ("optimizers.beta_1", 1.0),
        ("optimizers.beta_2", 1.0),
        ("optimizers.ema_decay", 1.0),
        ("optimizers.ema_decay", -0.001),
        ("input.batch_size", 0),
        ("input.max_corrupt_records", -1),
        ("losses.differentiable_augmentation", ("color", "color")),
        ("losses.differentiable_augmentation", ("colour",)),
        ("input.crop_probability", 1.1),
        ("input.crop_probability", -0.1),
        ("input.flip_probability", 2.0),
        ("input.crop_area", (0.0, 1.0)),
        ("input.crop_area", (0.9, 0.8)),
        ("input.crop_area", (0.8, 1.2)),
        ("input.crop_ratio", (0.0, 1.0)),
        ("input.crop_ratio", (1.1, 0.9)),
        ("training.steps", 0),
        ("training.seed", -1),
        ("training.seed", 2**31),
        ("training.threads_per_op", 0),
        ("training.devices", 0),
        ("training.log_every", 0),
        ("training.sample_every", -5),
        ("training.checkpoint_every", 0),
        ("training.keep_checkpoints", 0),
        ("training.max_rollbacks", -1),
        ("training.profile_steps", (0, 3)),
        ("training.profile_steps", (5, 3)),
        ("training.precision", "float64"),
        ("training.eval_every", -1),
        ("training.eval_sources", 0),
    ],
)
def test_a_value_out_of_range_is_named_with_its_flag(name, value):
    with pytest.raises(UserError, match=rf"^--{re.escape(name)} is {re.escape(str(value))}; it must be \S+"):
        check(changed(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("losses.lambda_ds", 0.0),
        ("optimizers.l2", 0.0),
        ("optimizers.beta_1", 0.0),
        ("optimizers.ema_decay", 0.0),
        ("input.crop_probability", 1.0),
        ("input.flip_probability", 0.0),
        ("input.crop_area", (1.0, 1.0)),
        ("input.crop_ratio", (1.5, 1.5)),
        ("training.seed", 2**31 - 1),
        ("training.threads_per_op", None),
        ("training.steps", 1),
        ("model.base_channels", 1),
    ],
)
def test_the_ends_of_a_range_are_allowed(name, value):
    check(changed(name, value))


def test_a_batch_must_split_evenly():
    check_replicas(changed("input.batch_size", 8), 4)
    with pytest.raises(UserError, match=r"batch of 8 .* 3 devices.*--input\.batch_size to a multiple of 3"):
        check_replicas(changed("input.batch_size", 8), 3)


def test_microbatches_must_divide_the_batch_of_a_device():
    check_replicas(changed("training.microbatches", 4), 2)
    with pytest.raises(UserError, match="the 4 images that one device has of a batch cannot be computed in 8 equal"):
        check_replicas(changed("training.microbatches", 8), 2)
    with pytest.raises(UserError, match=r"--training\.microbatches is 0; it must be at least 1"):
        check(changed("training.microbatches", 0))


# ---------------------------------------------------------------------- resuming

RUN = Path("runs/a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("training.steps", 7),
        ("training.threads_per_op", 1),
        ("training.devices", 1),
        ("training.microbatches", 2),
        ("training.steps_per_call", 2),
        ("training.rematerialize", True),
        ("training.jit_compile", True),
        ("training.log_every", 7),
        ("training.sample_every", 7),
        ("training.checkpoint_every", 7),
        ("training.keep_checkpoints", 7),
        ("training.tf32", False),
        ("training.strategy", "one_device"),
        ("training.deterministic", True),
        ("training.on_nonfinite", "rollback"),
        ("training.max_rollbacks", 7),
        ("training.profile_steps", (1, 2)),
        ("training.eval_every", 7),
        ("training.eval_sources", 7),
        ("training.eval_extractor", "inception"),
        ("training.eval_distance", "alex.onnx:lin.npz"),
        ("training.eval_metric", "kid"),
        ("training.keep_best", False),
    ],
)
def test_length_and_records_of_a_run_may_change(name, value):
    check_same_run(COMPLETE, changed(name, value), RUN)


def test_everything_else_must_stay():
    changeable = set(changeable_fields())
    for name, value in flatten(COMPLETE).items():
        if name == "domains" or name in changeable:
            continue
        with pytest.raises(UserError, match=re.escape(f"({name} is ")):
            check_same_run(COMPLETE, changed(name, "other" if value is None else None), RUN)
    with pytest.raises(UserError, match=r"domains is .*cat.*dog.* there and .*dog.*cat.* now"):
        check_same_run(COMPLETE, replace(COMPLETE, domains=("dog", "cat")), RUN)


# Another value for each setting that may change if that is asked for.
IF_ASKED = {
    "losses.adversarial": "hinge",
    "losses.lambda_reg": 2.0,
    "losses.reg_every": 4,
    "losses.lambda_sty": 2.0,
    "losses.lambda_ds": 2.0,
    "losses.ds_iter": 7,
    "losses.lambda_cyc": 2.0,
    "losses.differentiable_augmentation": ["color"],
    "optimizers.learning_rate": 1e-5,
    "optimizers.mapping_learning_rate": 1e-7,
    "optimizers.beta_1": 0.5,
    "optimizers.beta_2": 0.9,
    "optimizers.epsilon": 1e-6,
    "optimizers.l2": 0.0,
    "optimizers.ema_decay": 0.99,
    "input.batch_size": 4,
    "input.crop_probability": 0.25,
    "input.crop_area": [0.9, 1.0],
    "input.crop_ratio": [1.0, 1.0],
    "input.flip_probability": 0.0,
}


def test_losses_optimizers_and_input_may_change_if_asked():
    sections = ("losses", "optimizers", "input")
    names = {name for name in flatten(COMPLETE) if name.partition(".")[0] in sections}
    assert IF_ASKED.keys() == names - set(changeable_fields())
    for name, value in IF_ASKED.items():
        before = flatten(COMPLETE)[name]
        with pytest.raises(UserError, match=rf"\({re.escape(name)} is .*, or give --allow_changes to go on"):
            check_same_run(COMPLETE, changed(name, value), RUN)
        changes = check_same_run(COMPLETE, changed(name, value), RUN, allow_changes=True)
        assert changes == {name: (list(before) if isinstance(before, tuple) else before, value)}
    assert check_same_run(COMPLETE, changed("training.steps", 7), RUN, allow_changes=True) == {}


def test_what_makes_another_run_never_changes():
    if_asked = {*IF_ASKED, *changeable_fields()}
    for name, value in flatten(COMPLETE).items():
        if name == "domains" or name in if_asked:
            continue
        with pytest.raises(UserError, match=rf"or leave {re.escape(name)}, which --allow_changes does not let"):
            check_same_run(COMPLETE, changed(name, "other" if value is None else None), RUN, allow_changes=True)
    both = replace(changed("losses.lambda_cyc", 2.0), training=RunConfig(seed=5))
    with pytest.raises(UserError, match=r"lambda_cyc is .*or leave training\.seed, which --allow_changes does not let"):
        check_same_run(COMPLETE, both, RUN, allow_changes=True)


def test_every_change_is_listed():
    now = replace(changed("losses.lambda_cyc", 2.0), training=RunConfig(seed=5, steps=9))
    with pytest.raises(UserError) as raised:
        check_same_run(COMPLETE, now, RUN)
    message = str(raised.value)
    assert "'runs/a'" in message
    assert "losses.lambda_cyc is 1.0 there and 2.0 now; training.seed is 0 there and 5 now" in message
    assert "training.steps" not in message


def test_a_list_and_a_tuple_are_the_same():
    check_same_run(changed("input.crop_area", [0.8, 1.0]), COMPLETE, RUN)
