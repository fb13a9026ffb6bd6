"""Published PyTorch checkpoints to runs and back: `python -m stargan_tf.convert --checkpoint FILE --run DIR`."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt
from stargan_tf.config import Config, ModelConfig, check, preset
from stargan_tf.interop import architecture, published, pytorch_adam, torch_files
from stargan_tf.runs import run_directory

if TYPE_CHECKING:
    from stargan_tf.interop.conversion import Weights

PROGRAM = "python -m stargan_tf.convert"
DESCRIPTION = (
    "Makes a run directory of published PyTorch checkpoints (--checkpoint, --nets, --optims, --fan), or writes such "
    "files from a run (--to_pytorch, --to_pytorch_nets, --to_pytorch_optims)."
)

_READING = ("checkpoint", "nets", "optims", "fan", "domains", "w_hpf", "image_size", "step")
_WRITING = ("to_pytorch", "to_pytorch_nets", "to_pytorch_optims")
# How the published training names its files.
_STEP = re.compile(r"(?<!\d)(\d{1,9})_(nets|optims)")


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory: to make from --checkpoint, or to take weights from.
        checkpoint: averaged networks (100000_nets_ema.ckpt), or trained ones (100000_nets.ckpt) to serve as both.
        nets: trained networks with discriminator (100000_nets.ckpt), with which training can go on.
        optims: state of their optimizers (100000_optims.ckpt).
        fan: face alignment network (wing.ckpt), needed by networks with the high-pass skip if the checkpoint has none.
        domains: names of the domains, in the order of the training, separated by commas.
        w_hpf: weight of the high-pass skip; by default the published 1 for networks that have one.
        face_masks: false leaves the face alignment network out; then the high-pass skip carries nothing over.
        image_size: side, or [height, width], of networks not made for squares whose side is a power of two.
        step: finished iterations, if neither the file's name nor the optimizers tell.
        to_pytorch: file to write the averaged networks of the run to.
        to_pytorch_nets: file to write its trained networks with discriminator to.
        to_pytorch_optims: file to write the state of its optimizers to.
        overwrite: replace PyTorch files that exist.
    """

    run: str
    checkpoint: str | None = None
    nets: str | None = None
    optims: str | None = None
    fan: str | None = None
    domains: str | None = None
    w_hpf: float | None = None
    face_masks: bool = True
    image_size: int | tuple[int, int] | None = None
    step: NonNegativeInt | None = None
    to_pytorch: str | None = None
    to_pytorch_nets: str | None = None
    to_pytorch_optims: str | None = None
    overwrite: bool = False


def run(arguments: Arguments) -> None:
    """Converts as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or files that hold something else.
    """
    reading = [name for name in _READING if getattr(arguments, name) is not None]
    writing = [name for name in _WRITING if getattr(arguments, name) is not None]
    if reading and writing:
        raise UserError(f"--{reading[0]} reads and --{writing[0]} writes PyTorch files; give one of them at a time")
    if writing:
        _write_pytorch(arguments)
    elif arguments.checkpoint is None:
        raise UserError("give --checkpoint FILE to make a run, or --to_pytorch FILE to write one's networks")
    else:
        _write_run(arguments)


def _write_run(arguments: Arguments) -> None:
    run = Path(arguments.run)
    if run_directory.is_occupied(run):
        raise UserError(f"--run {arguments.run!r} exists; choose a new directory")

    # ------------------------------------------------------------------ networks
    files = {"averaged": arguments.checkpoint, "trained": arguments.nets or arguments.checkpoint}
    averaged, model = _read_networks(arguments.checkpoint, arguments)
    trained = averaged if published.DISCRIMINATOR in averaged else None
    if arguments.nets is not None:
        trained, trained_model = _read_networks(arguments.nets, arguments)
        if published.DISCRIMINATOR not in trained:
            raise UserError(f"--nets {arguments.nets!r} holds no discriminator; give a *_nets.ckpt")
        if trained_model != model:
            raise UserError(f"{arguments.checkpoint!r} and {arguments.nets!r} {_difference(model, trained_model)}")
    found = {
        file: networks[published.FACE_NETWORK]
        for file, networks in ((files["trained"], trained or {}), (files["averaged"], averaged))
        if published.FACE_NETWORK in networks
    }
    averaged = _without(averaged, published.FACE_NETWORK, published.DISCRIMINATOR)
    trained = None if trained is None else _without(trained, published.FACE_NETWORK)
    domains = _domains(arguments.domains, model.num_domains)

    # ------------------------------------------------------------------ the rest of the run
    config = preset("celeba_hq_256" if model.w_hpf > 0 else "afhq_256")
    adam = None
    if arguments.optims is not None:
        if trained is None:
            raise UserError("--optims goes with trained networks; give these, too, with --nets *_nets.ckpt")
        tree = torch_files.read(Path(arguments.optims))
        with _about(arguments.optims):
            adam = pytorch_adam.read(tree, trained)
            config = replace(config, optimizers=pytorch_adam.settings(adam, config.optimizers))
    fan, files["face_network"] = _face_network(arguments, model, found)
    model = replace(model, face_masks=fan is not None or model.w_hpf == 0)
    config = replace(config, domains=domains, model=model)
    check(config)
    step = _step(arguments, adam)

    conversion = _start_tensorflow()
    weights = conversion.Weights(step, averaged, trained, adam, fan)
    conversion.write_run(weights, config, run, files)
    _print(weights, config, f"converted {arguments.checkpoint} into {arguments.run}")
    if trained is None:
        print(
            "Averaged networks only, without discriminator: the run can be sampled, evaluated, and given to "
            "`train --init_from`, but not trained on (that takes --nets)."
        )
        return
    if files["averaged"] == files["trained"]:
        print("The trained networks serve as averaged ones too; those are in the *_nets_ema.ckpt.")
    fresh = "" if adam is not None else ", with fresh optimizers (--optims takes theirs over)"
    print(f"`train --run {arguments.run} --data DIR --training.steps N` goes on from iteration {step:,}{fresh}.")


def _write_pytorch(arguments: Arguments) -> None:
    targets = {name: Path(path) for name in _WRITING if (path := getattr(arguments, name)) is not None}
    if len(set(targets.values())) < len(targets):
        raise UserError(f"{', '.join(f'--{name}' for name in targets)} must name different files")
    for path in targets.values():
        torch_files.check_target(path, arguments.overwrite)
    run_directory.load_config(Path(arguments.run))  # so that a mistake is told before TensorFlow starts
    config, weights = _start_tensorflow().read_run(Path(arguments.run), with_training=set(targets) != {"to_pytorch"})
    fan = {} if weights.face_network is None else {published.FACE_NETWORK: weights.face_network}
    for name, path in targets.items():
        if name == "to_pytorch":
            tree = weights.averaged | fan
        elif name == "to_pytorch_nets":
            tree = weights.trained | fan
        else:
            names = {network: list(tensors) for network, tensors in weights.trained.items()}
            tree = pytorch_adam.write(weights.adam, names)
        torch_files.write(path, tree, arguments.overwrite)
    _print(weights, config, f"wrote {', '.join(map(str, targets.values()))} from {arguments.run}")


def _start_tensorflow():
    """Imports what needs TensorFlow; errors of its users must not bring up what it prints when it starts."""
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.interop import conversion

        tf.config.list_logical_devices()
    return conversion


def _read_networks(file: str, arguments: Arguments) -> tuple[dict[str, dict[str, np.ndarray]], ModelConfig]:
    tree = torch_files.read(Path(file))
    with _about(file):
        networks = published.networks(tree)
        return networks, architecture.infer(networks, arguments.w_hpf, arguments.image_size)


def _domains(names: str | None, count: int) -> tuple[str, ...]:
    order = "in the order of the training, which was alphabetical for the published ones (cat,dog,wild; female,male)"
    if names is None:
        raise UserError(
            f"the names of the {count} domains are not in the checkpoint; give --domains with them, {order}"
        )
    domains = tuple(name.strip() for name in names.split(","))
    if any(not name.isprintable() or "/" in name for name in domains):
        raise UserError(f"--domains is {names!r}; names must be printable and without slashes")
    if len(domains) != count or len(set(domains)) != count or "" in domains:
        raise UserError(f"--domains is {names!r}, but the networks have {count} domains; give {count} names, {order}")
    return domains


def _face_network(
    arguments: Arguments, model: ModelConfig, found: dict[str, Mapping[str, np.ndarray]]
) -> tuple[Mapping[str, np.ndarray] | None, str]:
    """Returns the face alignment network that the run is to have, if any, and its file; `found` is by file."""
    if arguments.fan is not None and (model.w_hpf == 0 or not arguments.face_masks):
        reason = "the networks have no high-pass skip" if model.w_hpf == 0 else "--face_masks is false"
        raise UserError(f"--fan {arguments.fan!r} is of no use, since {reason}; leave it out")
    if model.w_hpf == 0 or not arguments.face_masks:
        return None, ""
    if arguments.fan is not None:
        tree = torch_files.read(Path(arguments.fan))
        with _about(arguments.fan):
            return published.face_network(tree), arguments.fan
    if not found:
        raise UserError(
            "these networks have the high-pass skip, which needs a face alignment network to find where the source "
            "shows through, and the checkpoint holds none; give one with --fan wing.ckpt, or go without by "
            "--face_masks false, so that nothing of the source is carried over"
        )
    file, tensors = found.popitem()
    return tensors, file


def _step(arguments: Arguments, adam: Mapping[str, pytorch_adam.AdamState] | None) -> int:
    """Returns the number of finished iterations: as given, else by the files' names, else by the optimizers."""
    if arguments.step is not None:
        return arguments.step
    files = [file for file in (arguments.checkpoint, arguments.nets, arguments.optims) if file is not None]
    named = {file: int(match[1]) for file in files if (match := _STEP.search(Path(file).name))}
    if len(set(named.values())) > 1:
        listed = ", ".join(f"{step} in {file!r}" for file, step in named.items())
        raise UserError(f"the files are of different iterations by their names ({listed}); give --step if they are not")
    if named:
        return next(iter(named.values()))
    if adam is not None:
        return adam["mapping_network"].step  # the one that is updated once in an iteration
    raise UserError(f"the name of {arguments.checkpoint!r} does not tell how long it was trained; give --step")


def _difference(model: ModelConfig, other: ModelConfig) -> str:
    fields = [name for name in vars(model) if getattr(model, name) != getattr(other, name)]
    listed = ", ".join(f"{name} is {getattr(model, name)} and {getattr(other, name)}" for name in fields)
    return f"hold different networks: {listed}"


def _without(networks: Mapping, *names: str) -> dict:
    return {name: network for name, network in networks.items() if name not in names}


@contextlib.contextmanager
def _about(file: str) -> Iterator[None]:
    """Puts the file's name before errors."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{file!r}: {error}") from error


def _print(weights: "Weights", config: Config, title: str) -> None:
    """Prints what was found."""
    model = config.model
    high_pass = "none"
    if model.w_hpf > 0:
        high_pass = f"weight {model.w_hpf:g}, {'with' if model.face_masks else 'without'} face masks"
    rows = [
        ("image size", " x ".join(map(str, model.size))),
        ("domains", ", ".join(config.domains)),
        ("channels", f"{model.full_resolution_channels} at full resolution, at most {model.max_channels}"),
        ("latent, style, hidden", f"{model.latent_dim}, {model.style_dim}, {model.hidden_dim}"),
        ("high-pass skip", high_pass),
        ("iterations", f"{weights.step:,}"),
    ]
    networks = dict(weights.trained or weights.averaged)
    if weights.face_network is not None:
        networks["face alignment network"] = weights.face_network
    rows += [
        (name, f"{sum(np.size(tensor) for tensor in tensors.values()):,} parameters")
        for name, tensors in networks.items()
    ]
    if weights.adam is not None:
        updates = ", ".join(f"{state.step:,} of {name}" for name, state in weights.adam.items())
        rows.append(("optimizers' updates", updates))
    print(title)
    for name, value in rows:
        print(f"  {name:24}{value}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
