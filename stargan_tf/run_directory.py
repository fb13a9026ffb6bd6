"""A run directory: everything that belongs to one training run.

config.yaml  checkpoints/  logs/ (TensorBoard)  samples/  metrics.jsonl  face_network.npz (with the high-pass skip)
"""

from pathlib import Path

from stargan_tf import config as configuration
from stargan_tf.config import Config
from stargan_tf.errors import UserError

CONFIG_FILE = "config.yaml"
FACE_NETWORK_FILE = "face_network.npz"


def is_occupied(path: Path) -> bool:
    """Returns whether something is there that a command must not write over: a file, or a directory with content."""
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def is_run(run: Path) -> bool:
    """Returns whether a directory is a run directory."""
    return (run / CONFIG_FILE).is_file()


def load_config(run: Path) -> Config:
    """Reads a run's configuration.

    Raises:
        UserError: it is not a run directory.
    """
    if not is_run(run):
        raise UserError(f"{str(run)!r} is not a run directory: it has no {CONFIG_FILE}; `stargan_tf.train` makes one")
    return configuration.load(run / CONFIG_FILE)


def open_for_training(run: Path, config: Config) -> None:
    """Starts a run directory, or checks that one goes on as it began; nothing in it is changed but the configuration.

    Args:
        run: the directory; it may be missing.
        config: resolved.

    Raises:
        UserError: the directory holds something else, or a run with another configuration.
    """
    if is_run(run):
        configuration.check_same_run(load_config(run), config, run)
    elif is_occupied(run):
        raise UserError(f"{str(run)!r} exists and is not a run directory; choose another for --run")
    run.mkdir(parents=True, exist_ok=True)
    # Renamed when complete: a crash must not leave half a configuration.
    temporary = run / (CONFIG_FILE + ".new")
    configuration.save(config, temporary)
    temporary.replace(run / CONFIG_FILE)
