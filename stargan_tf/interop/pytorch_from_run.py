"""From a run directory to PyTorch checkpoints in the published form."""

from collections.abc import Mapping
from pathlib import Path

from stargan_tf.base.errors import UserError
from stargan_tf.interop import published, pytorch_adam, torch_files
from stargan_tf.interop.printed_weights import print_weights
from stargan_tf.interop.quiet_tensorflow import start_tensorflow
from stargan_tf.runs import run_directory


def write_pytorch(run: Path, targets: Mapping[str, Path], overwrite: bool) -> None:
    """Writes PyTorch checkpoints in the published form, and prints what they hold.

    Args:
        run: the run directory.
        targets: by flag the file to write: `to_pytorch` the averaged networks, `to_pytorch_nets` the trained ones with
            discriminator, `to_pytorch_optims` the state of their optimizers.
        overwrite: whether files that exist are replaced.

    Raises:
        UserError: files that exist or are named twice, or a run that has no such weights.
    """
    if len(set(targets.values())) < len(targets):
        raise UserError(f"{', '.join(f'--{name}' for name in targets)} must name different files")
    for path in targets.values():
        torch_files.check_target(path, overwrite)
    run_directory.load_config(run)  # so that a mistake is told before TensorFlow starts
    config, weights = start_tensorflow().read_run(run, with_training=set(targets) != {"to_pytorch"})
    face_network = {} if weights.face_network is None else {published.FACE_NETWORK: weights.face_network}
    for name, path in targets.items():
        if name == "to_pytorch":
            tree = weights.averaged | face_network
        elif name == "to_pytorch_nets":
            tree = weights.trained | face_network
        else:
            names = {network: list(tensors) for network, tensors in weights.trained.items()}
            tree = pytorch_adam.write(weights.adam, names)
        torch_files.write(path, tree, overwrite)
    print_weights(weights, config, f"wrote {', '.join(map(str, targets.values()))} from {run}")
