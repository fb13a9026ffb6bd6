"""The processes that train together, as the environment variable TF_CONFIG names them; without TensorFlow."""

import json
import os
from collections import Counter
from dataclasses import dataclass

from stargan_tf.base.errors import UserError

TF_CONFIG = "TF_CONFIG"

# Jobs of TF_CONFIG whose processes train, in the order in which they are counted: the first of all is the chief.
_TRAINING_JOBS = ("chief", "worker")


@dataclass(frozen=True)
class Cluster:
    """The processes of a job.

    Args:
        addresses: HOST:PORT of each, the chief first.
        names: as TF_CONFIG calls them, `worker 0`.
        number: which of them this process is.
    """

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    number: int

    def describe(self, number: int) -> str:
        """Returns name and address of a process."""
        return f"{self.names[number]} ({self.addresses[number]})"


def read_cluster(kind: str = "auto") -> Cluster | None:
    """Reads TF_CONFIG.

    Args:
        kind: see `config.RunConfig.strategy`.

    Returns:
        None where one process trains alone.

    Raises:
        UserError: TF_CONFIG is not what the kind needs, or cannot work.
    """
    cluster = _read() if kind in ("auto", "multi_worker") else None
    if kind == "multi_worker" and cluster is None:
        raise UserError(
            f"--training.strategy multi_worker needs the environment variable {TF_CONFIG} with the addresses of all "
            "workers and this one's number; docs/scaling.md shows it"
        )
    return cluster


def _read() -> Cluster | None:
    text = os.environ.get(TF_CONFIG, "")
    if not text:
        return None
    try:
        values = json.loads(text)
        jobs = {job: [str(address) for address in addresses] for job, addresses in values.get("cluster", {}).items()}
        job, index = values.get("task", {}).get("type"), int(values.get("task", {}).get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"the environment variable {TF_CONFIG} is {text!r}; it must be JSON like "
            '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    if sum(map(len, jobs.values())) < 2:
        return None
    if others := sorted(jobs.keys() - set(_TRAINING_JOBS)):
        raise UserError(f"{TF_CONFIG} names {', '.join(others)}; only chief and worker take part in training")
    if job not in jobs or not 0 <= index < len(jobs[job]):
        raise UserError(
            f"{TF_CONFIG} says that this process is {job} {index}, which is not among its "
            + ", ".join(f"{len(addresses)} {name}(s)" for name, addresses in jobs.items())
        )
    if len(jobs.get("chief", ())) > 1:
        raise UserError(f"{TF_CONFIG} names {len(jobs['chief'])} chiefs; there can be one, and the others are workers")
    names = [(name, number) for name in _TRAINING_JOBS for number in range(len(jobs.get(name, ())))]
    addresses = [jobs[name][number] for name, number in names]
    _check(addresses)
    return Cluster(tuple(addresses), tuple(f"{name} {number}" for name, number in names), names.index((job, index)))


def _check(addresses: list[str]) -> None:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UserError(
                f"{TF_CONFIG} has the address {address!r}; it must be HOST:PORT with a port from 1 to 65535"
            )
    address, count = Counter(map(str.lower, addresses)).most_common(1)[0]
    if count > 1:
        raise UserError(f"{TF_CONFIG} has the address {address} {count} times; each process needs one of its own")
