"""Writes a run's averaged networks as a version of a model: a SavedModel for TF Serving, portable files, or a page."""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_directory
from stargan_tf.data.images import to_image, to_png
from stargan_tf.inference.translator import Translator
from stargan_tf.networks.fused_forms import fused_on
from stargan_tf.runs import face_network, run_directory
from stargan_tf.runs.checkpoints import load_ema
from stargan_tf.serving import deployment, litert_format, model_card, onnx_format, versions
from stargan_tf.serving.export_settings import ExportSettings
from stargan_tf.serving.served_model import LocalModel
from stargan_tf.serving.signatures import Signatures
from stargan_tf.serving.web.page_settings import PageSettings

# What the exported model may differ from the translator by, in images of [-1, 1].
_TOLERANCE = 1e-4


def export_run(
    run: Path,
    model: Path,
    number: int | None,
    format: str,
    settings: ExportSettings,
    page: PageSettings | None = None,
) -> None:
    """Exports a run.

    Args:
        run: the run directory.
        model: the model's directory, of which `versions.check` was asked.
        number: of the version; by default as `versions.choose` finds it.
        format: `saved_model`, `onnx`, `litert` or `web`.
        settings: how it is served, checked.
        page: for `web`: what the page is made of, checked.

    Raises:
        UserError: no checkpoint, or an exported model that differs from the run's.
    """
    translator = load(run, format, settings)
    version = versions.choose(model, format, number, translator.fingerprint)
    target = model / str(version)
    write_version(translator, run, target, model.name, version, format, settings, page)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"version {version} of {model.name}: {target}, {size / 1e6:.1f} MB")
    if format == "web":
        print(f"to try it: python -m http.server --directory {target}")
    if format == "saved_model":
        other = "gpu" if settings.device == "cpu" else "cpu"
        print(
            f"in the form for {settings.device.upper()}s (--device {settings.device}); where it will be served on "
            f"{other.upper()}s, export it with --device {other}"
        )
        for sentence in deployment.write(model, model.name, version, settings.batch_sizes, settings.serving_version):
            print(sentence)


def load(run: Path, format: str, settings: ExportSettings) -> Translator:
    """Loads the networks of a run in the form that a format and a device have; else as `load_translator`."""
    with command_line.quiet_start():
        # The other formats have no operation for the fused normalization.
        fused = format == "saved_model" and fused_on(settings.device)
        return load_translator(run, settings.precision, fused, settings.checkpoint)


def write_version(
    translator: Translator,
    run: Path,
    target: Path,
    name: str,
    version: int,
    format: str,
    settings: ExportSettings,
    page: PageSettings | None = None,
) -> dict[str, Any]:
    """Exports a run without what deploys it.

    Args:
        translator: as `load` gives it for the format.
        run: the run directory.
        target: the directory of the version, which holds at most the same networks in another format.
        name: of the model.
        version: its number.
        format: `saved_model`, `onnx`, `litert` or `web`.
        settings: how it is served, checked.
        page: for `web`: what the page is made of, checked.

    Returns:
        The model card.

    Raises:
        UserError: no checkpoint, or an exported model that differs from the run's.
    """
    limits = {"max_rows": settings.max_rows, "max_pixels": settings.max_pixels} if format == "saved_model" else {}
    assert translator.step is not None  # it comes from a checkpoint
    card = model_card.create(
        run_directory.load_config(run),
        run,
        translator.step,
        translator.fingerprint,
        name,
        version,
        settings.precision,
        settings.device if format == "saved_model" else None,
        settings.licence,
        limits,
    )
    # A server takes a directory whose name is a number as complete, so the version gets its name last.
    with whole_directory(target, overwrite=target.exists()) as temporary:
        if format == "saved_model":
            _write_saved_model(translator, card, settings, temporary)
        elif format == "web":
            assert page is not None
            _write_page(translator, card, page, temporary)
        else:
            _write_portable(translator, card, format, temporary)
        model_card.write(card, temporary)
        if target.exists():  # in another format
            shutil.copytree(target, temporary, dirs_exist_ok=True)
    return card


def load_translator(run: Path, precision: str, fused: bool, checkpoint: str = "latest") -> Translator:
    """Loads what is exported.

    Args:
        run: the run directory.
        precision: `float32` or `bfloat16`, which the variables are in, too.
        fused: as in `config.ModelConfig`, but that of the exported graph, whatever is best on this machine.
        checkpoint: `latest` or `best`.

    Returns:
        The translator of the averaged networks.

    Raises:
        UserError: it is not a run directory, or has no checkpoint yet.
    """
    config = run_directory.load_config(run)
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    config = replace(
        config, model=replace(config.model, fused=fused), training=replace(config.training, precision=policy)
    )
    averages, step = load_ema(config, run, checkpoint)
    if precision == "bfloat16":
        rounded = networks.build(config.model, "bfloat16", with_discriminator=False)
        for name, network in rounded.items():
            network.set_weights(getattr(averages, name).get_weights())
        averages = rounded
    return Translator(averages, config, face_network=face_network.load_for(config, run), step=step, fixed=True)


def _write_saved_model(translator: Translator, card: dict[str, Any], settings: ExportSettings, version: Path) -> None:
    from stargan_tf.serving import warmup  # needs an extra that the other formats do without

    signatures = Signatures(translator, card, settings.max_pixels, settings.max_rows)
    with tempfile.TemporaryDirectory() as directory:
        # Copied into the SavedModel's assets.
        labels = Path(directory) / "labels.txt"
        labels.write_text("".join(f"{domain}\n" for domain in translator.domains))
        signatures.labels = tf.saved_model.Asset(str(labels))
        functions: dict[str, Any] = signatures.functions()
        tf.saved_model.save(signatures, str(version), signatures=functions)
    inputs = {name: dict(function.structured_input_signature[1]) for name, function in functions.items()}
    count = warmup.write(inputs, card, settings.batch_sizes, version)

    # What users will get, compared with what the translator gives, before the version is there.
    start = time.monotonic()
    model = LocalModel(version)
    seconds = time.monotonic() - start
    height, width = translator.image_size
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3)).astype(np.float32) / 127.5 - 1
    for domain in translator.domains:
        style = translator.styles_from_latents(translator.draw_latents(1, seed=0), domain)
        drawn = model.predict("translate_style_float", {"image": image, "style": style})["image"]
        difference = np.abs(drawn - translator.translate(image, style)).max()
        if not difference <= _TOLERANCE:
            raise UserError(
                f"the exported model draws domain {domain!r} otherwise than the run's networks, by up to "
                f"{difference:g}, where {_TOLERANCE:g} is allowed; nothing was written"
            )
        translation = model.translate_latent(to_png(to_image(image[0])), domain, seeds=[0])[0]
        if not np.allclose(translation.style, style[0], atol=_TOLERANCE):
            raise UserError(f"the exported model draws another style of domain {domain!r} by the same seed")
    print(f"checked against the run's networks; loaded in {seconds:.1f} s; {count} warm-up requests")


def _write_portable(translator: Translator, card: dict[str, Any], format: str, version: Path) -> None:
    (version / "labels.txt").write_text("".join(f"{domain}\n" for domain in translator.domains))
    write = {"onnx": onnx_format.write, "litert": litert_format.write}[format]
    for name, difference in write(translator, version, card).items():
        print(f"{name}: differs from the run's networks by at most {difference:.1e}")


def _write_page(translator: Translator, card: dict[str, Any], page: PageSettings, version: Path) -> None:
    from stargan_tf.serving.web import folder  # needs an extra

    card["precision"] = f"float32, weights stored in {page.weights}"
    difference = folder.write(translator, card, version, page)
    print(f"its pictures differ from those of the run's networks by at most {difference:.2g} of 255 levels")
