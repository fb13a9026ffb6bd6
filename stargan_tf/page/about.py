"""What the page says about its model."""

from collections.abc import Mapping
from typing import Any

from stargan_tf.serving import model_card


def facts(card: Mapping[str, Any]) -> str:
    """Writes the main facts of a model card, which may be of an earlier version, as Markdown."""
    height, width = card["image_size"]
    rows = {
        "Name": card["name"],
        "Version": card.get("version"),
        "Trained for": f"{card['step']:,} steps" if "step" in card else None,
        "Domains": ", ".join(card["domains"]),
        "Image size": f"{width} x {height} pixels (width x height)",
        "Style code": f"{card['style_dim']} numbers" if "style_dim" in card else None,
        "Licence": card.get("licence"),
    }
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in rows.items() if value is not None]
    measured = model_card.measured(card) if "metrics" in card else []
    return "\n".join([*lines, "", *measured])
