"""Which Model artifact each served version was made from, where no resolver can ask the metadata store: on Kubeflow.

The Pusher notes it in the serving directory. By content, so that it holds for a version that a roll-back repeats.
"""

import json
from pathlib import Path

from pipeline.serving_directory import ServingDirectory
from stargan_tf.base import files
from stargan_tf.base.writing import write_text

_NOTED = ".model_addresses.json"  # beside the versions, where a server reads no file
ADDRESS_FILE = "address.json"  # in a Model that stands for another one


def note(serving: str, fingerprint: str, address: str) -> None:
    """Notes which Model a version was made from; one on a local disk, which the store knows, is not noted."""
    if files.is_remote(address):
        path = Path(serving) / _NOTED
        write_text(path, json.dumps(_noted(path) | {fingerprint: address}, indent=1) + "\n")


def last_good(serving: str) -> str | None:
    """Returns the address of the Model that is served: that of the newest version; None if it is not known."""
    directory = ServingDirectory(Path(serving))
    if not (versions := directory.versions()):
        return None
    return _noted(Path(serving) / _NOTED).get(directory.record(versions[-1])["fingerprint"])


def stand_for(address: str | None, output: str) -> None:
    """Makes a Model that stands for another one, or for none."""
    files.write(files.join(output, ADDRESS_FILE), json.dumps({"address": address}).encode())


def followed(address: str) -> str | None:
    """Returns the address of the Model that one stands for; its own if it stands for itself."""
    if not files.is_remote(address) or not files.exists(file := files.join(address, ADDRESS_FILE)):
        return address
    return json.loads(files.read(file))["address"]


def _noted(path: Path) -> dict[str, str]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
