"""How many bytes of gradients a training step sums over the devices, counted from the variables of each update.

python -m benchmarks.communication [--preset afhq_256] [--num_domains 3]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stargan_tf.base import command_line
from stargan_tf.config import preset

PROGRAM = "python -m benchmarks.communication"

# The four updates of an iteration, and the networks that each moves (`stargan_tf.training.updates`).
_UPDATES = {
    "D, latent-guided": ("discriminator",),
    "D, reference-guided": ("discriminator",),
    "G, latent-guided": ("generator", "mapping_network", "style_encoder"),
    "G, reference-guided": ("generator",),
}
_DEVICES = (2, 4, 8, 16, 64)


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        preset: settings whose networks are counted.
        image_size: side of the images in pixels, where the preset leaves it to the data.
        num_domains: number of domains, where the preset leaves it to the data.
    """

    preset: str = "afhq_256"
    image_size: int = 32
    num_domains: int = 3


def run(arguments: Arguments) -> None:
    """Counts, and prints two tables."""
    with command_line.quiet_start():
        from stargan_tf import networks

    model = preset(arguments.preset).model
    model = replace(
        model,
        image_size=model.image_size or arguments.image_size,
        num_domains=model.num_domains or arguments.num_domains,
    )
    sizes = {
        name: sum(variable.value.dtype.size * variable.shape.num_elements() for variable in network.trainable_variables)
        for name, network in networks.build(model).items()
    }
    print(f"{arguments.preset}: gradients summed over the devices, in each step\n")
    print("| update | networks | MB |\n| --- | --- | --- |")
    for update, names in _UPDATES.items():
        print(f"| {update} | {', '.join(names)} | {sum(sizes[name] for name in names) / 1e6:.1f} |")
    total = sum(sizes[name] for names in _UPDATES.values() for name in names)
    print(f"| all four | | {total / 1e6:.1f} |\n")
    print("A ring sends 2 (N - 1) / N of that from every device:\n")
    print(
        "| devices | MB sent by each | ms at 1 GB/s | ms at 10 GB/s | ms at 100 GB/s |\n| --- | --- | --- | --- | --- |"
    )
    for count in _DEVICES:
        sent = 2 * (count - 1) / count * total
        times = " | ".join(f"{sent / rate * 1e3:.0f}" for rate in (1e9, 1e10, 1e11))
        print(f"| {count} | {sent / 1e6:.0f} | {times} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
