"""What a conversion tells about the networks that it read or wrote."""

from typing import TYPE_CHECKING

import numpy as np

from stargan_tf.base import stand_ins
from stargan_tf.config import Config

if TYPE_CHECKING:
    from stargan_tf.interop.conversion import Weights


def print_weights(weights: "Weights", config: Config, title: str) -> None:
    """Prints what was read or written, under a title."""
    model = config.model
    high_pass = "none"
    if model.w_hpf > 0:
        high_pass = f"weight {model.w_hpf:g}, {'with' if model.face_masks else 'without'} face masks"
    rows = [
        ("image size", " x ".join(map(str, model.size))),
        ("domains", ", ".join(config.domains or ())),
        ("channels", f"{model.full_resolution_channels} at full resolution, at most {model.max_channels}"),
        ("latent, style, hidden", f"{model.latent_dim}, {model.style_dim}, {model.hidden_dim}"),
        ("high-pass skip", high_pass),
        ("iterations", f"{weights.step:,}"),
    ]
    networks = dict(weights.trained or weights.averaged)
    if weights.face_network is not None:
        networks["face network"] = weights.face_network
    rows += [
        (name, f"{sum(np.size(tensor) for tensor in tensors.values()):,} parameters")
        for name, tensors in networks.items()
    ]
    if weights.adam is not None:
        updates = ", ".join(f"{state.step:,} of {name}" for name, state in weights.adam.items())
        rows.append(("optimizers' updates", updates))
    print(stand_ins.told(title))
    for name, value in rows:
        print(f"  {name:24}{value}")
