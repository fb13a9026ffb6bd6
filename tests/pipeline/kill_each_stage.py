"""Kills the pipeline in each stage and runs it again: `python -m tests.pipeline.kill_each_stage`.

Every stage is killed with SIGKILL when it begins and when its work is done but not recorded; Trainer also after its
first checkpoint. Each time the pipeline is started again on the same root, where the next kill waits. In the end all
must be as in a run that nobody disturbed, to the bit where no time is in it; and a watcher, which polls the serving
directory as TF Serving does, must never have seen half a version. Takes minutes.
"""

import difflib
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.kill_and_resume import compare
from pipeline import run
from pipeline.compile import field_of
from pipeline.configuration import STAGES
from pipeline.model_fingerprint import fingerprint
from pipeline.serving_directory import RECORD_FILE
from tests.pipeline import tiny_pipeline

_FLAGS = [
    "--trainer.training.deterministic=true",
    "--trainer.training.steps=3",
    "--evaluator.measurement.deterministic=true",  # the default, which the other tests' settings turn off
]
# As TFX orders them; a stage that has run would be skipped before it is killed.
_ORDER = (
    "ExampleGen",
    "StatisticsGen",
    "ExampleValidator",
    "SchemaGen",
    "Trainer",
    "InfraValidator",
    "Evaluator",
    "Pusher",
)
_KEYS = {"ExampleGen": "examples", "Trainer": "model", "Evaluator": "evaluation", "Pusher": "pushed_model"}


class Watcher(threading.Thread):
    """Polls a directory of versions; a version that is seen must be whole, and stay as it is."""

    def __init__(self, serving: Path):
        super().__init__(daemon=True)
        self._serving = serving
        self.polls, self.broken, self.seen = 0, [], {}
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            self.polls += 1
            for child in self._serving.iterdir() if self._serving.is_dir() else ():
                if child.name.isdigit():
                    self._look_at(child)
            time.sleep(0.002)

    def _look_at(self, version: Path) -> None:
        try:
            record = json.loads((version / RECORD_FILE).read_text())
            content = fingerprint(version, without=[RECORD_FILE])
        except (OSError, ValueError) as error:
            self.broken.append(f"{version.name}: {error}")
            return
        if content != record["fingerprint"] or self.seen.setdefault(version.name, content) != content:
            self.broken.append(f"{version.name}: is not what it was published as")


def attempt(file: Path, stage: str | None = None, moment: str | None = None) -> int:
    """Runs the pipeline in a process of its own, which kills itself; gives its exit code."""
    # Forked, so that what takes most of the time, importing, is done once; TensorFlow has not been used here.
    process = multiprocessing.get_context("fork").Process(target=_run, args=(file, stage, moment))
    process.start()
    if moment == "checkpoint":
        work = file.parent / "root" / run.WORK
        while process.is_alive() and not list(work.glob("*/run/checkpoints/step-1.index")):
            time.sleep(0.001)
        process.kill()
    process.join()
    return process.exitcode


def _run(file: Path, stage: str | None, moment: str | None) -> None:
    if moment in ("begin", "end"):
        module = importlib.import_module(f"pipeline.components.{field_of(stage)}")
        work = module.run

        def killed(*arguments) -> None:
            if moment == "end":
                work(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        module.run = killed
    log = (file.parent / "log.txt").open("a")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.exit(run.main([f"--config={file}", *_FLAGS]))


def differences(one: Path, other: Path) -> list[str]:
    """Compares what two pipelines made, without times and places."""
    found = []

    def newest(folder: Path, stage: str) -> Path:
        return max((folder / "root" / run.ARTIFACTS / stage / _KEYS[stage]).iterdir(), key=lambda path: int(path.name))

    def text(folder: Path, stage: str, name: str) -> str:
        return (newest(folder, stage) / name).read_text().replace(str(folder), "")

    for stage, name in (("ExampleGen", "manifest.json"), ("Evaluator", "evaluation.json")):
        lines = [text(folder, stage, name).splitlines() for folder in (one, other)]
        if changed := list(difflib.unified_diff(*lines, n=0, lineterm="")):
            found.append(f"{stage}: {name} differs: {'; '.join(changed[2:12])}")
    runs = [newest(folder, "Trainer") / "run" for folder in (one, other)]
    found += [f"Trainer: {name} differs" for name in compare(*runs)]
    if (runs[0] / "metrics.jsonl").read_text().count("\n") != (runs[1] / "metrics.jsonl").read_text().count("\n"):
        found.append("Trainer: a step was measured twice, or not at all")
    for folder in (one, other):
        artifacts = [path for path in (folder / "root" / run.ARTIFACTS).glob("*/*/*") if path.name.isdigit()]
        if len(artifacts) != len(STAGES) + 1:  # The Evaluator gives two.
            found.append(f"{folder.name}: there are {len(artifacts)} artifacts; {len(STAGES) + 1} are expected")
        versions = [path.name for path in (folder / "serving" / "tiny").iterdir() if path.name.isdigit()]
        if versions != ["1"]:
            found.append(f"{folder.name}: the versions are {versions}")
    return found


def main() -> int:
    """Runs all of it; gives 0 if nothing differs."""
    run.preload()
    with tempfile.TemporaryDirectory() as directory:
        folders = [Path(directory) / name for name in ("killed", "undisturbed")]
        files = []
        for folder in folders:
            folder.mkdir()
            files.append(tiny_pipeline.write(folder))
        watcher = Watcher(folders[0] / "serving" / "tiny")
        watcher.start()
        failed = []
        for stage in _ORDER:
            for moment in ("begin", "checkpoint", "end") if stage == "Trainer" else ("begin", "end"):
                code = attempt(files[0], stage, moment)
                print(
                    f"{stage:18}killed at {moment:12}{'yes' if code == -signal.SIGKILL else f'NO: {code}'}", flush=True
                )
                if code != -signal.SIGKILL:
                    failed.append(f"{stage} at {moment} ended with {code}")
        for file in files:
            if code := attempt(file):
                failed.append(f"the last run ended with {code}")
                print((file.parent / "log.txt").read_text()[-3000:])
        watcher.stop.set()
        watcher.join()
        if not failed:
            failed += differences(*folders)
        failed += watcher.broken
        print(f"the watcher polled {watcher.polls} times and saw the versions {sorted(watcher.seen)}")
        print("\n".join(failed) if failed else "nothing differs from a run that nobody disturbed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
