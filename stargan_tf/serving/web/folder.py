"""Writes the folder of the page: its own files, the runtime, the networks, what the model card says, and examples."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import markdown

from stargan_tf.base.writing import write_json
from stargan_tf.data.images import evenly_spread, read_image
from stargan_tf.inference import inputs, provenance
from stargan_tf.inference.translator import Translator
from stargan_tf.serving import model_card
from stargan_tf.serving.web import networks, runtime
from stargan_tf.serving.web.page_settings import PageSettings

STATIC = Path(__file__).parent / "static"
MOST_EXAMPLES = 8


def write(translator: Translator, card: Mapping[str, Any], directory: Path, settings: PageSettings) -> float:
    """Writes the folder.

    Args:
        translator: of the networks.
        card: the model card.
        directory: where to, which must exist.
        settings: what goes into it, checked.

    Returns:
        The largest difference between pictures drawn by the page's networks and by the run's, in levels of 255.

    Raises:
        UserError: the networks differ too much.
    """
    shutil.copytree(STATIC, directory, dirs_exist_ok=True)
    runtime.copy(runtime.find(settings.runtime), directory / "runtime")
    shown = []
    if settings.examples is not None:
        shown = _write_examples(translator, Path(settings.examples), directory / "examples")
    (directory / "networks").mkdir()
    difference = networks.write(translator, directory / "networks", settings.weights)
    facts = {
        **{key: card[key] for key in ("name", "version", "domains", "image_size", "images", "latent_dim", "step")},
        "networks_fingerprint": card["networks"],
        "networks": [
            {"name": path.stem, **_file(path, directory)} for path in sorted((directory / "networks").iterdir())
        ],
        "runtime": {
            device: asdict(files)
            | {"script": f"runtime/{files.script}", "glue": f"runtime/{files.glue}"}
            | {"binary": _file(directory / "runtime" / files.binary, directory)}
            for device, files in runtime.FILES.items()
        },
        "examples": shown,
        "provenance": provenance.packet_of_served([], card).decode(),
        "card": _to_html(model_card.page(card)),
    }
    write_json(directory / "model.json", facts)
    return difference


def _file(path: Path, directory: Path) -> dict[str, Any]:
    return {"path": path.relative_to(directory).as_posix(), "bytes": path.stat().st_size}


def _write_examples(translator: Translator, folder: Path, directory: Path) -> list[dict[str, str | None]]:
    """Writes examples as the network sees them; returns their paths, and domains if folders or names tell them."""
    directory.mkdir()
    paths = evenly_spread(inputs.find_images(folder, "--examples"), MOST_EXAMPLES)
    for number, path in enumerate(paths):
        picture = read_image(path.read_bytes(), translator.image_size, translator.image_config)
        picture.save(directory / f"{number}.png")
    return [
        {"path": f"examples/{number}.png", "domain": _domain_of(path, translator.domains)}
        for number, path in enumerate(paths)
    ]


def _domain_of(path: Path, domains: Sequence[str]) -> str | None:
    named = [domain for domain in domains if path.parent.name == domain or path.name.startswith(f"{domain}_")]
    return max(named, key=len, default=None)


def _to_html(text: str) -> str:
    """Markdown to HTML, in which names that look like HTML stay text."""
    converter = markdown.Markdown(extensions=["tables"])
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    return converter.convert(text)
