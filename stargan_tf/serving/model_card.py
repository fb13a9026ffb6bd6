"""The model card: what an exported model is, where it comes from, what it takes; for programs and for people."""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stargan_tf.config import Config, flatten
from stargan_tf.evaluation import photograph_table, results
from stargan_tf.runs import run_directory
from stargan_tf.serving import front_matter

CARD_FILE = "model_card.json"
README_FILE = "README.md"

# Between which numbers codes are taken, by `row_checks`, which needs TensorFlow.
_CODES = [-1000, 1000]


def create(
    config: Config,
    run: Path,
    step: int,
    networks: str,
    name: str,
    version: int,
    precision: str,
    device: str | None,
    licence: str | None,
    limits: dict[str, Any],
) -> dict[str, Any]:
    """Collects the facts about a model.

    Args:
        config: of the run.
        run: the run directory.
        step: number of steps that the exported networks were trained for.
        networks: their fingerprint.
        name: of the model.
        version: of the model.
        precision: of the exported networks.
        device: that its form is meant for, `cpu` or `gpu`; None if there is only one.
        licence: of the weights, as the user gave it; by default that of the run.
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
    known_licence, attribution = run_directory.licence(run)
    known_factors, photographs = run / run_directory.KNOWN_FACTORS_FILE, run / run_directory.PHOTOGRAPHS_FILE
    return {
        "name": name,
        "version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": licence or known_licence or front_matter.NOT_STATED,
        "attribution": attribution,
        "domains": list(config.domains),
        "image_size": list(config.model.size),
        "images": json.loads(json.dumps(asdict(config.images.known()))),
        "latent_dim": config.model.latent_dim,
        "style_dim": config.model.style_dim,
        "precision": precision,
        "device": device,
        "step": step,
        "networks": networks,
        "data": run_directory.recorded_data(run),
        "metrics": {
            "known_factors": results.read(known_factors) if known_factors.is_file() else None,
            "photographs": results.read(photographs) if photographs.is_file() else None,
            "evaluations": [_means(result) for result in results.of_step(run, step)],
            "last_training_step": trained[-1] if trained else None,
        },
        "limits": limits,
        # By the plain signatures of a SavedModel, and by ONNX and LiteRT files, none of which can refuse anything.
        "clipped": {"image": [-1, 1], "latent": _CODES, "style": _CODES, "psi": [0, 1], "domain": _indices(config)},
        "configuration": json.loads(json.dumps(flatten(config))),
        "exporter": {package: importlib.metadata.version(package) for package in ("stargan-tf", "tensorflow", "keras")},
    }


def write(card: dict[str, Any], directory: Path) -> None:
    """Writes a card into the directory of a version, as JSON and as a page to read."""
    (directory / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n")
    (directory / README_FILE).write_text(f"{front_matter.of_model(card)}\n{page(card)}")


def page(card: Mapping[str, Any]) -> str:
    """Returns what a card says as a page in Markdown."""
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
        ("fingerprint of the weights", f"`{card['networks']}`"),
        ("trained on", "; ".join(data) or "not recorded: the weights were converted, or are of an older run"),
        ("licence of the weights", card["licence"]),
        *([("made of", card["attribution"])] if card.get("attribution") else []),
        ("limits of a request", ", ".join(f"{name} {value}" for name, value in card["limits"].items()) or "none"),
        ("clipped where nothing can be refused", _clipped(card["clipped"])),
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
            *measured(card),
            "",
            f"`{CARD_FILE}` holds all of this and the whole configuration for programs.",
            "",
        ]
    )


def _indices(config: Config) -> list[int]:
    assert config.domains is not None
    return [0, len(config.domains) - 1]


def _clipped(ranges: Mapping[str, Sequence[int]]) -> str:
    """What the signatures without text make of numbers that are out of range."""
    limits = ", ".join(f"`{name}` to {low} to {high}" for name, (low, high) in ranges.items())
    return f"{limits} (signatures `..._plain`, ONNX and LiteRT files; `domain` is a line of labels.txt, from 0)"


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


def measured(card: Mapping[str, Any]) -> list[str]:
    """Writes what was measured of the model of a card as lines of Markdown; cards of earlier versions hold less."""
    known_factors, evaluations = card["metrics"].get("known_factors"), card["metrics"].get("evaluations", ())
    lines: list[str] = []
    for evaluation in evaluations:
        lines += [*_protocol(evaluation), ""]
    photographs = card["metrics"].get("photographs")
    if photographs is not None:
        lines += [*_photographs(photographs, card["step"]), ""]
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


def _photographs(result: Mapping[str, Any], exported: int) -> list[str]:
    of_another = "" if result["step"] == exported else f", while the exported model is of step {exported}"
    measured = photograph_table.rows(result).items()
    titles = {measure: title for measure, (title, _, _) in photograph_table.PHOTOGRAPH_MEASURES.items()}
    return [
        f"On photographs (`stargan_tf.evaluate --mode photographs`), step {result['step']}{of_another}:",
        *(f"{fact};" for fact in photograph_table.facts(result)),
        "means over all directions.",
        "",
        *_table(("", *photograph_table.COLUMNS.values()), [(titles[measure], *cells) for measure, cells in measured]),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
