"""From published PyTorch checkpoints to a run directory."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt
from stargan_tf.config import ModelConfig, check, preset
from stargan_tf.interop import architecture, published, pytorch_adam, torch_files
from stargan_tf.interop.printed_weights import print_weights
from stargan_tf.interop.quiet_tensorflow import start_tensorflow
from stargan_tf.runs import run_directory

# How the published training names its files.
_STEP = re.compile(r"(?<!\d)(\d{1,9})_(nets|optims)")


@dataclass(frozen=True)
class PublishedFiles:
    """Published PyTorch checkpoints, and what they do not tell.

    Args:
        checkpoint: averaged networks (100000_nets_ema.ckpt), or trained ones (100000_nets.ckpt) to serve as both.
        nets: trained networks with discriminator (100000_nets.ckpt), with which training can go on.
        optims: state of their optimizers (100000_optims.ckpt).
        fan: face network (wing.ckpt), needed by networks with the high-pass skip if the checkpoint has none.
        domains: names of the domains, in the order of the training, separated by commas.
        w_hpf: weight of the high-pass skip; by default the published 1 for networks that have one.
        face_masks: false leaves the face network out; then the high-pass skip carries nothing over.
        image_size: side, or [height, width], of networks not made for squares whose side is a power of two.
        step: finished iterations, if neither the file's name nor the optimizers tell.
    """

    checkpoint: str | None = None
    nets: str | None = None
    optims: str | None = None
    fan: str | None = None
    domains: str | None = None
    w_hpf: float | None = None
    face_masks: bool = True
    image_size: int | tuple[int, int] | None = None
    step: NonNegativeInt | None = None


def make_run(run: Path, given: PublishedFiles) -> None:
    """Makes a run directory of published PyTorch checkpoints, and prints what was found.

    Args:
        run: the run directory, which must not exist.
        given: the files, and what they do not tell.

    Raises:
        UserError: a mistake in what is given, or files that hold something else.
    """
    if given.checkpoint is None:
        raise UserError("give --checkpoint FILE to make a run, or --to_pytorch FILE to write one's networks")
    if run_directory.is_occupied(run):
        raise UserError(f"--run {str(run)!r} exists; choose a new directory")

    # ------------------------------------------------------------------ networks
    files = {"averaged": given.checkpoint, "trained": given.nets or given.checkpoint}
    averaged, model = _read_networks(given.checkpoint, given)
    trained = averaged if published.DISCRIMINATOR in averaged else None
    if given.nets is not None:
        trained, trained_model = _read_networks(given.nets, given)
        if published.DISCRIMINATOR not in trained:
            raise UserError(f"--nets {given.nets!r} holds no discriminator; give a *_nets.ckpt")
        if trained_model != model:
            raise UserError(f"{given.checkpoint!r} and {given.nets!r} {_difference(model, trained_model)}")
    found: dict[str, Mapping[str, np.ndarray]] = {
        file: networks[published.FACE_NETWORK]
        for file, networks in ((files["trained"], trained or {}), (files["averaged"], averaged))
        if published.FACE_NETWORK in networks
    }
    averaged = _without(averaged, published.FACE_NETWORK, published.DISCRIMINATOR)
    trained = None if trained is None else _without(trained, published.FACE_NETWORK)
    assert model.num_domains is not None  # told by the networks
    domains = _domains(given.domains, model.num_domains)

    # ------------------------------------------------------------------ the rest of the run
    config = preset("celeba_hq_256" if model.w_hpf > 0 else "afhq_256")
    adam = None
    if given.optims is not None:
        if trained is None:
            raise UserError("--optims goes with trained networks; give these, too, with --nets *_nets.ckpt")
        tree = torch_files.read(Path(given.optims))
        with _about(given.optims):
            adam = pytorch_adam.read(tree, trained)
            config = replace(config, optimizers=pytorch_adam.settings(adam, config.optimizers))
    face_network, files["face_network"] = _face_network(given, model, found)
    model = replace(model, face_masks=face_network is not None or model.w_hpf == 0)
    config = replace(config, domains=domains, model=model)
    check(config)
    step = _step(given, adam)

    conversion = start_tensorflow()
    weights = conversion.Weights(step, averaged, trained, adam, face_network)
    conversion.write_run(weights, config, run, files)
    print_weights(weights, config, f"converted {given.checkpoint} into {run}")
    if trained is None:
        print(
            "Averaged networks only, without discriminator: the run can be sampled, evaluated, and given to "
            "`train --init_from`, but not trained on (that takes --nets)."
        )
        return
    if files["averaged"] == files["trained"]:
        print("The trained networks serve as averaged ones too; those are in the *_nets_ema.ckpt.")
    fresh = "" if adam is not None else ", with fresh optimizers (--optims takes theirs over)"
    print(f"`train --run {run} --data DIR --training.steps N` goes on from iteration {step:,}{fresh}.")


def _read_networks(file: str, given: PublishedFiles) -> tuple[dict[str, dict[str, np.ndarray]], ModelConfig]:
    tree = torch_files.read(Path(file))
    with _about(file):
        networks = published.networks(tree)
        return networks, architecture.infer(networks, given.w_hpf, given.image_size)


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
    given: PublishedFiles, model: ModelConfig, found: dict[str, Mapping[str, np.ndarray]]
) -> tuple[Mapping[str, np.ndarray] | None, str]:
    """Returns the face network that the run is to have, if any, and its file; `found` is by file."""
    if given.fan is not None and (model.w_hpf == 0 or not given.face_masks):
        reason = "the networks have no high-pass skip" if model.w_hpf == 0 else "--face_masks is false"
        raise UserError(f"--fan {given.fan!r} is of no use, since {reason}; leave it out")
    if model.w_hpf == 0 or not given.face_masks:
        return None, ""
    if given.fan is not None:
        tree = torch_files.read(Path(given.fan))
        with _about(given.fan):
            return published.face_network(tree), given.fan
    if not found:
        raise UserError(
            "these networks have the high-pass skip, which needs a face network to find where the source "
            "shows through, and the checkpoint holds none; give one with --fan wing.ckpt, or go without by "
            "--face_masks false, so that nothing of the source is carried over"
        )
    file, tensors = found.popitem()
    return tensors, file


def _step(given: PublishedFiles, adam: Mapping[str, pytorch_adam.AdamState] | None) -> int:
    """Returns the number of finished iterations: as given, else by the files' names, else by the optimizers."""
    if given.step is not None:
        return given.step
    files = [file for file in (given.checkpoint, given.nets, given.optims) if file is not None]
    named = {file: int(match[1]) for file in files if (match := _STEP.search(Path(file).name))}
    if len(set(named.values())) > 1:
        listed = ", ".join(f"{step} in {file!r}" for file, step in named.items())
        raise UserError(f"the files are of different iterations by their names ({listed}); give --step if they are not")
    if named:
        return next(iter(named.values()))
    if adam is not None:
        return adam["mapping_network"].step  # the one that is updated once in an iteration
    raise UserError(f"the name of {given.checkpoint!r} does not tell how long it was trained; give --step")


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
