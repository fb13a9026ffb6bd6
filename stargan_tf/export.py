"""Exports a run for serving: `python -m stargan_tf.export --run DIR --output MODELS/stargan`."""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.runs import run_directory
from stargan_tf.serving import deployment

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator

PROGRAM = "python -m stargan_tf.export"
DESCRIPTION = (
    "Writes the averaged networks of a run as a version of a model: a SavedModel that TF Serving takes as it is, with "
    "warm-up requests, a model card, and the files to deploy it; or ONNX or LiteRT files."
)

# What the exported model may differ from the translator by, in images of [-1, 1].
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory of a trained or converted model.
        output: directory of the model, whose last part is its name; versions become directories in it.
        checkpoint: `latest`, or `best` by the evaluations during training.
        version: number of the version; by default one more than the highest there is.
        format: `saved_model` for TF Serving, `onnx` or `litert` for other runtimes.
        precision: of the exported networks; `bfloat16` halves the files, and is faster where the hardware knows it.
        batch_sizes: numbers of rows that a server merges requests to, rising; a warm-up request is written for each.
        max_rows: requests with more rows are refused; at least the largest batch size.
        max_pixels: images whose header announces more pixels are refused before they are decoded.
        licence: of the weights, for the model card.
    """

    run: str
    output: str
    checkpoint: Literal["latest", "best"] = "latest"
    version: int | None = None
    format: Literal["saved_model", "onnx", "litert"] = "saved_model"
    precision: Literal["float32", "bfloat16"] = "float32"
    batch_sizes: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    max_rows: int = 32
    max_pixels: int = 50_000_000
    licence: str = "not stated"


def run(arguments: Arguments) -> None:
    """Exports as the arguments say.

    Raises:
        UserError: a mistake in the arguments, no checkpoint, or an exported model that differs from the run's.
    """
    model = Path(arguments.output).resolve()
    check(arguments)
    config = run_directory.load_config(Path(arguments.run))
    versions = [int(child.name) for child in model.iterdir() if child.name.isdigit()] if model.is_dir() else []
    version = max(versions, default=0) + 1 if arguments.version is None else arguments.version
    target = model / str(version)
    if target.exists():
        raise UserError(f"--version {version}: {str(target)!r} exists; versions are never written over")

    with command_line.quiet_start():
        from stargan_tf.serving import model_card

        # The other formats have no operation for the fused normalization.
        fused = None if arguments.format == "saved_model" else False
        translator = load_translator(Path(arguments.run), arguments.precision, fused, arguments.checkpoint)
    limits = (
        {"max_rows": arguments.max_rows, "max_pixels": arguments.max_pixels}
        if arguments.format == "saved_model"
        else {}
    )
    card = model_card.create(
        config,
        Path(arguments.run),
        translator.step,
        model.name,
        version,
        arguments.precision,
        arguments.licence,
        limits,
    )
    model.mkdir(parents=True, exist_ok=True)
    # A server takes a directory whose name is a number as complete, so the version gets its name last.
    with tempfile.TemporaryDirectory(prefix=f".new_{version}_", dir=model) as directory:
        temporary = Path(directory) / "version"
        if arguments.format == "saved_model":
            _write_saved_model(translator, card, arguments, temporary)
        else:
            _write_portable(translator, card, arguments.format, temporary)
        model_card.write(card, temporary)
        temporary.rename(target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"version {version} of {model.name}: {target}, {size / 1e6:.1f} MB")
    if arguments.format == "saved_model":
        for sentence in deployment.write(model, model.name, version, arguments.batch_sizes):
            print(sentence)


def check(arguments: Arguments) -> None:
    """Finds mistakes before TensorFlow is imported, which takes seconds.

    Raises:
        UserError: a value out of range, or a name that a model cannot have.
    """
    for name in ("version", "max_rows", "max_pixels"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} is {value}; it must be at least 1")
    sizes = arguments.batch_sizes
    if not sizes or sizes[0] < 1 or sizes != sorted(set(sizes)):
        raise UserError(f"--batch_sizes is {sizes}; it must be rising numbers from 1 on, like [1, 2, 4, 8]")
    if arguments.max_rows < sizes[-1]:
        raise UserError(f"--max_rows is {arguments.max_rows}; it must be at least the largest batch size, {sizes[-1]}")
    model = Path(arguments.output).resolve()
    deployment.check_model_name(model.name)
    if model.exists() and not model.is_dir():
        raise UserError(f"--output {arguments.output!r} is a file; it must be a directory")
    if arguments.format == "saved_model":
        extras.require("serving", "tensorflow_serving")  # for the warm-up requests


def load_translator(run: Path, precision: str, fused: bool | None = None, checkpoint: str = "latest") -> "Translator":
    """Loads what is exported.

    Args:
        run: the run directory.
        precision: `float32` or `bfloat16`, which the variables are in, too.
        fused: as in `config.ModelConfig`.
        checkpoint: as in `Arguments`.

    Returns:
        The translator of the averaged networks.

    Raises:
        UserError: it is not a run directory, or has no checkpoint yet.
    """
    from stargan_tf import networks
    from stargan_tf.inference.translator import Translator
    from stargan_tf.runs import face_network
    from stargan_tf.runs.checkpoints import load_ema

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
    return Translator(averages, config, face_network=face_network.load_for(config, run), step=step)


def _write_saved_model(translator: "Translator", card: dict[str, Any], arguments: Arguments, version: Path) -> None:
    import numpy as np
    import tensorflow as tf

    from stargan_tf.data.images import to_image, to_png
    from stargan_tf.serving import warmup
    from stargan_tf.serving.served_model import LocalModel
    from stargan_tf.serving.signatures import Signatures

    signatures = Signatures(translator, card, arguments.max_pixels, arguments.max_rows)
    with tempfile.TemporaryDirectory() as directory:
        # Copied into the SavedModel's assets.
        labels = Path(directory) / "labels.txt"
        labels.write_text("".join(f"{domain}\n" for domain in translator.domains))
        signatures.labels = tf.saved_model.Asset(str(labels))
        functions = signatures.functions()
        tf.saved_model.save(signatures, str(version), signatures=functions)
    inputs = {name: dict(function.structured_input_signature[1]) for name, function in functions.items()}
    count = warmup.write(inputs, card, arguments.batch_sizes, version)

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


def _write_portable(translator: "Translator", card: dict[str, Any], format: str, version: Path) -> None:
    from stargan_tf.serving import litert_format, onnx_format

    version.mkdir()
    (version / "labels.txt").write_text("".join(f"{domain}\n" for domain in translator.domains))
    write = {"onnx": onnx_format.write, "litert": litert_format.write}[format]
    for name, difference in write(translator, version, card).items():
        print(f"{name}: differs from the run's networks by at most {difference:.1e}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
