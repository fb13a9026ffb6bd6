"""A run that is killed again and again ends with the weights of one that is not, bit by bit.

    python -m benchmarks.kill_and_resume --data work/known_factors/data --output DIR [--steps 1000] [--kill_every 100]

Trains small networks twice with `--training.deterministic`: once undisturbed, and once with `kill -9` after
about every `kill_every` steps, at a random moment after the run has recorded that step, in the middle of whatever it
does. Each time the same command is started again. With `--workers 2` two processes train together, of which one is
killed, and both are started again. Then it compares everything that the last checkpoints hold (weights,
averages, moments of Adam, counters) and all measurements.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.runs import run_directory

PROGRAM = "python -m benchmarks.kill_and_resume"

# Depends on the machine and the moment, not on the state of the run.
_MEASURED = ("time/", "speed/", "memory/")


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        data: data directory.
        output: directory for both runs; must not exist.
        preset: settings of the runs.
        steps: length of the runs.
        kill_every: steps between kills.
        checkpoint_every: steps between checkpoints; best not a divisor of `kill_every`, so that steps are lost.
        steps_per_call: steps in one call of the compiled graph in the run that is killed; the other one has 1.
        workers: processes that train together; a kill hits any one of them.
    """

    data: str
    output: str
    preset: str = "known_factors"
    steps: int = 1000
    kill_every: int = 100
    checkpoint_every: int = 30
    steps_per_call: int = 1
    workers: int = 1


def run(arguments: Arguments) -> int:
    """Trains both runs and compares them; returns 1 if they differ."""
    output = Path(arguments.output)
    if output.exists():
        raise UserError(f"--output {str(output)!r} exists; choose another")
    undisturbed, killed = output / "undisturbed", output / "killed"
    with Progress(2 * arguments.steps, "training", "steps") as bar:
        _train(arguments, undisturbed, None, bar)
        kills = 0
        for target in range(arguments.kill_every, arguments.steps, arguments.kill_every):
            _train(arguments, killed, target, bar)
            kills += 1
        _train(arguments, killed, None, bar)
    differences = compare(undisturbed, killed)
    print(f"{arguments.steps} steps, killed {kills} times: {len(differences)} differences")
    for difference in differences[:20]:
        print(f"  {difference}")
    return 1 if differences else 0


def compare(one: Path, other: Path) -> list[str]:
    """Returns what differs between two finished runs: values of their last checkpoints, and lines of measurements."""
    with command_line.quiet_start():
        import numpy as np
        import tensorflow as tf

        from stargan_tf.runs.checkpoint_files import latest

    paths = latest(one), latest(other)
    if paths[0].name != paths[1].name:
        return [f"the last checkpoints are {paths[0].name} and {paths[1].name}"]
    readers = [tf.train.load_checkpoint(str(path)) for path in paths]
    names = [set(reader.get_variable_to_shape_map()) for reader in readers]
    differences = [f"{name} is in one only" for name in names[0] ^ names[1]]
    for name in sorted(names[0] & names[1]):
        # How often this process has saved is no state of the run.
        if name.startswith("save_counter") or name == "_CHECKPOINTABLE_OBJECT_GRAPH":
            continue
        values = [np.asarray(reader.get_tensor(name)) for reader in readers]
        if values[0].tobytes() != values[1].tobytes():
            differences.append(name)
    lines = [_measurements(run) for run in (one, other)]
    if [line["step"] for line in lines[0]] != [line["step"] for line in lines[1]]:
        differences.append(f"{run_directory.METRICS_FILE} has other steps")
    differences += [f"measurements of step {a['step']}" for a, b in zip(*lines, strict=False) if a != b]
    return differences


def _train(arguments: Arguments, run: Path, target: int | None, bar: Progress) -> None:
    """Trains to the end, or kills the run once it has recorded step `target`."""
    command = [sys.executable, "-m", "stargan_tf.train", "--data", arguments.data, "--run", str(run)]
    command += ["--preset", arguments.preset, "--training.deterministic", "true", "--training.log_every", "10"]
    command += ["--training.steps", str(arguments.steps), "--training.sample_every", str(arguments.steps)]
    command += ["--training.checkpoint_every", str(arguments.checkpoint_every)]
    if run.name == "killed":
        command += ["--training.steps_per_call", str(arguments.steps_per_call)]
    logs = [run.parent / f"{run.name}_{worker}.log" for worker in range(arguments.workers)]
    run.parent.mkdir(parents=True, exist_ok=True)
    processes = []
    try:
        for log, environment in zip(logs, _environments(arguments.workers), strict=True):
            with log.open("a") as file:
                processes.append(subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environment))
        while any(process.poll() is None for process in processes):
            step = _last_step(run)
            bar.update(step + (arguments.steps if run.name == "killed" else 0) - bar.done)
            if target is not None and step >= target:
                time.sleep(random.uniform(0, 0.5))
                random.choice(processes).kill()
                for process in processes:  # the others notice
                    process.wait()
                return
            time.sleep(0.2)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, log in zip(processes, logs, strict=True):
        if process.returncode:
            raise UserError(f"training ended with exit code {process.returncode}; see {log}")


def _environments(workers: int) -> list[dict[str, str]]:
    """Returns what makes each process one of several workers on this machine."""
    if workers == 1:
        return [{}]
    sockets = [socket.create_server(("localhost", 0)) for _ in range(workers)]
    addresses = [f"localhost:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    tasks = [{"type": "worker", "index": index} for index in range(workers)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})} for task in tasks]


def _last_step(run: Path) -> int:
    path = run / run_directory.METRICS_FILE
    if not path.is_file():
        return 0
    lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return json.loads(whole[-1])["step"] if whole else 0


def _measurements(run: Path) -> list[dict[str, float]]:
    lines = (run / run_directory.METRICS_FILE).read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if not name.startswith(_MEASURED)} for line in lines
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
