"""A pipeline that takes seconds: 45 images of 16 px, networks of a few channels, two steps of training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from data_prep import synthetic

CONFIGURATION: dict[str, Any] = {
    "name": "tiny",
    "example_gen": {"image_size": 16, "encoding": "png"},
    "trainer": {
        "model": {"latent_dim": 4, "style_dim": 8, "hidden_dim": 8, "base_channels": 4, "max_channels": 8},
        "input": {"batch_size": 2},
        "training": {"steps": 2, "devices": 1, "log_every": 1, "sample_every": 1000, "checkpoint_every": 1},
        "export": {"batch_sizes": [1], "max_rows": 8, "max_pixels": 1_000_000},
    },
    "infra_validator": {"time_limit": 3000},
    "evaluator": {
        "limits": {"floor": False, "modes": ["latent"], "margin_overall": {"fid": 0.1}, "margin_each_task": {}},
        "measurement": {
            **{"outputs": 2, "sources": 5, "styles": 2, "neighbours": 20, "grid_sources": 2, "batch_size": 8},
            "deterministic": False,  # that is for a whole process, and other tests follow in it
        },
    },
}


def write(folder: Path) -> Path:
    """Draws images and writes the configuration of a pipeline that takes them.

    Args:
        folder: gets images/, pipeline.yaml and, when the pipeline runs, root/ and serving/tiny/.

    Returns:
        The configuration file.
    """
    images = synthetic.Arguments(str(folder / "images"), image_size=16, train_per_domain=10, val_per_domain=5)
    synthetic.write(images)
    configuration = CONFIGURATION | {
        "root": str(folder / "root"),
        "example_gen": CONFIGURATION["example_gen"] | {"input": images.output},
        "pusher": {"directory": str(folder / "serving" / "tiny")},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def redraw(image: Path, seed: int) -> None:
    """Draws another picture in the place of an image."""
    import numpy as np

    factors = synthetic.random_factors(image.parent.name, np.random.default_rng(seed))
    synthetic.draw(replace(factors, hue=seed % 7 / 7), 16).save(image)
