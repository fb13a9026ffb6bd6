"""The model card: what an exported model is, where it comes from, what it takes; for programs and for people."""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stargan_tf.config import Config, flatten
from stargan_tf.evaluation import results
from stargan_tf.runs import run_directory

CARD_FILE = "model_card.json"
README_FILE = "README.md"


def create(
    config: Config,
    run: Path,
    step: int,
    name: str,
    version: int,
    precision: str,
    device: str | None,
    licence: str,
    limits: dict[str, Any],
) -> dict[str, Any]:
    """Collects the facts about a model.

    Args:
        config: of the run.
        run: the run directory.
        step: number of steps that the exported networks were trained for.
        name: of the model.
        version: of the model.
        precision: of the exported networks.
        device: that its form is meant for, `cpu` or `gpu`; None if there is only one.
        licence: of the weights, as the user gave it.
        limits: what requests must keep within, by name.

    Returns:
        Values that JSON knows.

    Raises:
        UserError: a file with what was measured of the run is damaged.
    """
    assert config.domains is not None, "a run's configuration has its domains"
    trained = [
        entry
        for entry in run_directory.recorded_metrics(run)
        if entry["step"] <= step and any(name != "step" and not name.startswith(results.PREFIX) for name in entry)
    ]
    known_factors = run / run_directory.KNOWN_FACTORS_FILE
    return {
        "name": name,
        "version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": licence,
        "domains": list(config.domains),
        "image_size": list(config.model.size),
        "images": json.loads(json.dumps(asdict(config.images.known()))),
        "latent_dim": config.model.latent_dim,
        "style_dim": config.model.style_dim,
        "precision": precision,
        "device": device,
        "step": step,
        "data": run_directory.recorded_data(run),
        "metrics": {
            "known_factors": results.read(known_factors) if known_factors.is_file() else None,
            "evaluations": [_means(result) for result in results.of_step(run, step)],
            "last_training_step": trained[-1] if trained else None,
        },
        "limits": limits,
        "configuration": json.loads(json.dumps(flatten(config))),
        "exporter": {package: importlib.metadata.version(package) for package in ("stargan-tf", "tensorflow", "keras")},
    }


def write(card: dict[str, Any], directory: Path) -> None:
    """Writes a card into the directory of a version, as JSON and as a page to read."""
    (directory / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n")
    (directory / README_FILE).write_text(_page(card))


def _page(card: dict[str, Any]) -> str:
    height, width = card["image_size"]
    data = [
        f"{sum(entry['num_examples'].values())} images, fingerprint `{entry['fingerprint'][:16]}`, "
        f"from step {entry['step']}"
        for entry in card["data"]
    ]
    facts = [
        ("domains", ", ".join(card["domains"])),
        ("image size", f"{height} x {width} pixels (height x width)"),
        ("how images are fitted", _images(card["images"])),
        ("latent and style code", f"{card['latent_dim']} and {card['style_dim']} numbers"),
        ("precision", card["precision"]),
        (
            "form",
            "the only one" if card["device"] is None else f"for {card['device'].upper()}s; others compute the same",
        ),
        ("trained for", f"{card['step']} steps"),
        ("trained on", "; ".join(data) or "not recorded: the weights were converted, or are of an older run"),
        ("licence of the weights", card["licence"]),
        ("limits of a request", ", ".join(f"{name} {value}" for name, value in card["limits"].items()) or "none"),
        ("made", card["created"] + " by " + ", ".join(" ".join(item) for item in card["exporter"].items())),
    ]
    return "\n".join(
        [
            f"# {card['name']}, version {card['version']}",
            "",
            "A StarGAN v2 translator ([arXiv 1912.01865](https://arxiv.org/abs/1912.01865)): it turns an image of one",
            "domain into images of every domain, in styles drawn from seeds or taken from reference images.",
            "",
            *_table(("", ""), facts),
            "",
            "## Measured",
            "",
            *_measured(card),
            "",
            f"`{CARD_FILE}` holds all of this and the whole configuration for programs.",
            "",
        ]
    )


def _images(images: dict[str, Any]) -> str:
    fit = {"crop": "the centre is cropped", "pad": "padded with the background", "stretch": "stretched"}[images["fit"]]
    ranges = {"full": "", "file": "; of more than 8 bits, the least and the greatest value are black and white"}
    given = images["value_range"]
    deep = ranges[given] if isinstance(given, str) else "; of more than 8 bits, {} is black and {} white".format(*given)
    return f"{fit}; transparent pixels on #{bytes(images['background']).hex()}{deep}"


def _means(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what an evaluation by the published protocol found on average, and what it was found with."""
    facts = ("step", "weights", "data", "extractor", "distance", "settings", "key")
    return {name: result[name] for name in facts if name in result} | {
        mode: result[mode]["mean"] for mode in result["settings"]["modes"]
    }


def _measured(card: Mapping[str, Any]) -> list[str]:
    known_factors, evaluations = card["metrics"]["known_factors"], card["metrics"]["evaluations"]
    lines: list[str] = []
    for evaluation in evaluations:
        lines += [*_protocol(evaluation), ""]
    if known_factors is not None:
        lines += [*_known_factors(known_factors, card["step"]), ""]
    return lines[:-1] or ["Nothing was measured of this model before it was exported."]


def _protocol(evaluation: Mapping[str, Any]) -> list[str]:
    settings, extractor, distance = (evaluation[name] for name in ("settings", "extractor", "distance"))
    modes = settings["modes"]
    sources = "all" if settings["sources"] is None else settings["sources"]
    rows = [
        (title, *(form.format(evaluation[mode][measure] * (1000 if measure == "kid" else 1)) for mode in modes))
        for measure, (title, form, _) in results.MEASURES.items()
    ]
    return [
        f"By the published protocol (`stargan_tf.evaluate`), step {evaluation['step']}: {sources} validation images of",
        f"each domain, {settings['outputs']} outputs of each in every other domain; LPIPS by {distance['name']}",
        f"{distance['hash']}, everything else by features of {extractor['name']} {extractor['hash']}. Means:",
        "",
        *_table(("", *(f"{mode}-guided" for mode in modes)), rows),
    ]


def _known_factors(result: Mapping[str, Any], exported: int) -> list[str]:
    step = result.get("step", "not recorded")
    guides = [name for name, values in result.items() if isinstance(values, dict)]
    measures = sorted({measure for guide in guides for measure in result[guide]})
    rows = [
        (measure, *(f"{result[guide][measure]:.4g}" if measure in result[guide] else "" for guide in guides))
        for measure in measures
    ]
    of_another = "" if step == exported else f", while the exported model is of step {exported}"
    return [
        f"Known factors of the generated data (`stargan_tf.evaluate`), step {step}{of_another}:",
        "",
        *_table(("", *guides), rows),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
