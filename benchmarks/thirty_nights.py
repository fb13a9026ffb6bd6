"""Thirty nights of the pipeline, as somebody lives through them who runs it: `python -m benchmarks.thirty_nights`.

New and unchanged data, renamed, darkened and emptied domains, a worse model, roll-backs, a serving directory that is
moved away, damaged, read-only or full, runs that are killed at random. After each night three things must agree: what
the report says is served, what the directory holds, and what a server answers that polls the directory. The networks
are tiny. It needs the extras `pipeline` and `serving`; for the small disk a mount in a name space of its own (unshare,
of util-linux). Exit code 1: in some night they did not agree, or the run ended otherwise than it should.

    python -m benchmarks.thirty_nights --folder /data/nights --grpc localhost:8500

takes a real server, which must watch FOLDER/serving/tiny and have that for the model's name. It needs to see the mount:
give `--no-small-disk`, and the nights with a full or read-only disk are left out.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pipeline import run
from pipeline.components import pusher
from pipeline.serving_directory import ServingDirectory
from tests.pipeline import tiny_pipeline
from tests.serving_double import server as serving_double

_IN_NAME_SPACE = "STARGAN_TF_THIRTY_NIGHTS"
_DISK = "size=8m"  # five versions of the tiny model
# Steps this large leave noise of the weights.
_WORSE = (
    "--trainer.optimizers.learning_rate=0.5",
    "--trainer.optimizers.ema_decay=0",
    '--evaluator.limits.margin_overall={"fid": 0.1}',
)
_PATIENCE = 120  # seconds that a server has to load a version


@dataclass(frozen=True)
class Night:
    """A night.

    Args:
        title: what is different in it.
        served: version that must be served after it.
        code: exit code of the run; None if it is killed.
        before: what happens before the run.
        after: what happens after the checks.
        flags: of the run.
        small_disk: whether it needs the small disk.
    """

    title: str
    served: int | None
    code: int | None = 0
    before: Callable[["Place"], None] = lambda place: None
    after: Callable[["Place"], None] = lambda place: None
    flags: Sequence[str] = ()
    small_disk: bool = False


@dataclass
class Place:
    """Where it happens.

    Args:
        folder: holds images, root and serving directory.
        file: the configuration.
        kept: states of the images, by name.
        longest: seconds of the longest run so far, within the first half of which a random kill falls.
        chance: of the moments of kills.
    """

    folder: Path
    file: Path
    kept: dict[str, Path] = field(default_factory=dict)
    longest: float = 60.0
    chance: random.Random = field(default_factory=random.Random)

    @property
    def serving(self) -> Path:
        """The serving directory."""
        return self.folder / "serving" / "tiny"

    @property
    def images(self) -> Path:
        """The images."""
        return self.folder / "images"

    def keep(self, name: str) -> None:
        """Keeps the state of the images."""
        self.kept[name] = self.folder / f"images_{name}"
        shutil.copytree(self.images, self.kept[name])

    def restore(self, name: str) -> None:
        """Brings back a state of the images."""
        shutil.rmtree(self.images)
        shutil.copytree(self.kept[name], self.images)

    def redraw(self, seed: int) -> None:
        """Draws an image anew."""
        tiny_pipeline.redraw(self.images / "train" / "circle" / "00000.png", seed)

    def rename_domain(self) -> None:
        """Renames a domain."""
        for subset in ("train", "val"):
            (self.images / subset / "square").rename(self.images / subset / "quadrat")

    def empty_domain(self) -> None:
        """Leaves one image of a domain."""
        for path in sorted((self.images / "train" / "square").iterdir())[1:]:
            path.unlink()

    def darken_domain(self) -> None:
        """Makes the images of a domain darker."""
        for path in (self.images / "train" / "triangle").iterdir():
            Image.open(path).point(lambda value: value // 4).save(path)

    def roll_back(self, version: int) -> None:
        """Rolls back."""
        if pusher.main([f"--serving={self.serving}", f"--rollback={version}"]):
            raise RuntimeError(f"the roll-back to {version} failed")

    def move_away(self) -> None:
        """Moves all that the serving directory holds."""
        away = self.folder / f"away_{time.monotonic_ns()}"
        shutil.move(self.serving, away)

    def damage(self, version: int) -> None:
        """Cuts off a file of a version."""
        (self.serving / str(version) / "variables" / "variables.data-00000-of-00001").write_bytes(b"")

    def fill(self) -> None:
        """Fills the small disk."""
        with (self.serving.parent / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"0" * 4096)

    def make_room(self) -> None:
        """Empties it again."""
        (self.serving.parent / "filler").unlink()

    def remount(self, how: str) -> None:
        """Makes the small disk read-only ("ro") or not ("rw")."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.serving.parent)], check=True)


NIGHTS = (
    Night("the first data", 1, after=lambda place: place.keep("first")),
    Night("unchanged", 1),
    Night("new data", 2, before=lambda place: place.redraw(1), after=lambda place: place.keep("second")),
    Night("unchanged", 2),
    Night("a domain is renamed", 2, 3, before=Place.rename_domain),
    Night("the data are back", 2, before=lambda place: place.restore("second")),
    Night("a domain is darkened", 2, 3, before=Place.darken_domain),
    Night("a worse model", 2, 3, before=lambda place: place.restore("second"), flags=_WORSE),
    Night("unchanged", 2),
    Night("rolled back to 1", 3, before=lambda place: place.roll_back(1)),
    Night("unchanged", 3),
    Night("the serving directory is moved away", 3, before=Place.move_away),
    Night("a domain is emptied, the serving directory too", 3, 3, before=lambda p: (p.empty_domain(), p.move_away())),
    Night("new data", 4, before=lambda p: (p.restore("second"), p.redraw(2)), after=lambda p: p.keep("third")),
    Night("unchanged", 4),
    Night("new data, killed at random", 4, None, before=lambda place: place.redraw(3)),
    Night("killed at random again", 4, None),
    Night("goes on", 5),
    Night("unchanged, killed at random", 5, None),
    Night("the served version is damaged", 6, before=lambda place: place.damage(5)),
    Night("full disk, nothing new", 6, 2, before=Place.fill, small_disk=True),
    Night("full disk, earlier data", 6, 2, before=lambda place: place.restore("third"), small_disk=True),
    Night("there is room again", 7, before=Place.make_room, small_disk=True),
    Night("read-only disk", 7, 2, before=lambda place: place.remount("ro"), small_disk=True),
    Night("writable again", 7, before=lambda place: place.remount("rw"), small_disk=True),
    Night("unchanged, in another time zone", 7, before=lambda place: os.environ.update(TZ="Pacific/Kiritimati")),
    Night("rolled back to 6", 8, before=lambda place: place.roll_back(6)),
    Night("the newest version is removed", 8, before=lambda p: shutil.rmtree(p.serving / "8")),
    Night("a worse model, the directory moved away", 8, 3, before=Place.move_away, flags=_WORSE),
    Night("new data", 9, before=lambda place: place.redraw(4)),
)


def _attempt(place: Place, flags: Sequence[str], kill: bool) -> int | None:
    """Runs the pipeline in a process of its own; gives its exit code, None if it was killed."""
    # Forked, so that what takes most of the time, importing, is done once; TensorFlow has not been used here.
    process = multiprocessing.get_context("fork").Process(target=_run, args=(place.file, flags))
    start = time.monotonic()
    process.start()
    if kill:
        process.join(place.chance.uniform(0, place.longest / 2))
        process.kill()
    process.join()
    if not kill:
        place.longest = max(place.longest if place.longest != 60.0 else 0, time.monotonic() - start)
    return None if process.exitcode == -signal.SIGKILL else process.exitcode


def _run(file: Path, flags: Sequence[str]) -> None:
    log = (file.parent / "log.txt").open("a")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    time.tzset()
    sys.exit(run.main([f"--config={file}", *flags]))


def _reported(place: Place, seen: set[str]) -> str:
    """What the report of this night says is served."""
    new = sorted({path.name for path in (place.folder / "root" / run.REPORTS).glob("run_*.html")} - seen)
    if not new:
        return "no report"
    seen.update(new)
    page = (place.folder / "root" / run.REPORTS / new[-1]).read_text(encoding="utf-8")
    found = re.search(r"Version (\d+) is served|(Nothing) is served", page)
    return "nothing said" if found is None else found[1] or found[2].lower()


def _held(place: Place) -> str:
    """What the directory holds."""
    serving = ServingDirectory(place.serving)
    newest = serving.newest()
    return "nothing" if newest is None else f"{newest}{'' if serving.is_whole(newest) else ' (damaged)'}"


def _answered(address: str, place: Place, expected: int | None) -> str:
    """Which version answers; a server has some time to load the one that is expected."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_ask, args=(address, place.serving, expected, sending))
    process.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        return "no answer"
    finally:
        process.join()


def _ask(address: str, serving: Path, expected: int | None, sending) -> None:
    """Sends the first warm-up request of what is expected, by no version, until that version answers."""
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    from stargan_tf.serving import warmup

    answer = "no answer"
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = warmup.read(serving / str(expected))[0]
        request.model_spec.name = serving.name
        request.model_spec.ClearField("version")
        until = time.monotonic() + _PATIENCE
        while answer != str(expected) and time.monotonic() < until:
            try:
                answer = str(stub.Predict(request, timeout=_PATIENCE).model_spec.version.value)
            except grpc.RpcError as error:
                answer = f"{error.code().name}"
            time.sleep(0.2)
    sending.send(answer)


@contextlib.contextmanager
def _server(address: str | None, serving: Path) -> Iterator[Callable[[], str]]:
    """Gives the address of a server that polls the directory; ours is started when there is a version."""
    with contextlib.ExitStack() as stack:
        started: list[str] = [] if address is None else [address]

        def ready() -> str:
            if not started:
                _, ours, _ = stack.enter_context(serving_double.process(serving, "--poll=0.5"))
                started.append(ours)
            return started[0]

        yield ready


def nights(folder: Path, address: str | None, small_disk: bool, chosen: int, seed: int) -> list[str]:
    """Lives through the nights, and prints a row for each.

    Args:
        folder: where; new.
        address: host and port of a server's gRPC; None for the double.
        small_disk: whether the serving directory lies on a disk of its own.
        chosen: how many nights.
        seed: of the moments of kills.

    Returns:
        What did not agree.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder, tiny_pipeline.write(folder), chance=random.Random(seed))
    place.serving.parent.mkdir(exist_ok=True)
    if small_disk:
        subprocess.run(["mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", str(place.serving.parent)], check=True)
    failed, seen = [], set()
    flags = ['--evaluator.limits.margin_overall={"fid": 0.5}']
    print("| night | what happens | exit code | report | directory | server | agree | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    run.preload()
    with _server(address, place.serving) as ready:
        for number, night in enumerate(NIGHTS[:chosen], start=1):
            if night.small_disk and not small_disk:
                continue
            start = time.monotonic()
            night.before(place)
            code = _attempt(place, [*flags, *night.flags], kill=night.code is None)
            reported, held = _reported(place, seen), _held(place)
            killed = code is None
            # A run that is killed may have published before, or not, or have ended sooner; a later night tells.
            expected = ServingDirectory(place.serving).newest() if night.code is None else night.served
            answered = _answered(ready(), place, expected)
            agree = held == answered == str(expected) and (reported == held or (reported == "no report" and killed))
            words = "killed" if killed else str(code)
            good = agree and (night.code is None or code == night.code)
            seconds = time.monotonic() - start
            row = (
                f"| {number} | {night.title} | {words} | {reported} | {held} | {answered} | {'yes' if good else 'NO'} |"
            )
            print(f"{row} {seconds:.0f} |", flush=True)
            if not good:
                failed.append(f"night {number}: version {night.served} and exit code {night.code} were expected")
            night.after(place)
    if failed:
        print((folder / "log.txt").read_text()[-4000:])
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    """Runs it; gives 0 if everything agreed in every night."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thirty_nights", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where it happens; new. By default a temporary directory")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="of a real server; by default the double is started")
    parser.add_argument("--nights", type=int, default=len(NIGHTS), help="how many of them, from the first on")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of kills")
    parser.add_argument("--no-small-disk", action="store_true", help="leave out full and read-only disks")
    arguments = parser.parse_args(argv)
    small_disk = not arguments.no_small_disk
    if small_disk and _IN_NAME_SPACE not in os.environ:
        command = ["unshare", "--user", "--map-root-user", "--mount"]
        if shutil.which("unshare") and not subprocess.run([*command, "true"], capture_output=True).returncode:
            words = sys.argv[1:] if argv is None else argv
            os.environ[_IN_NAME_SPACE] = "1"
            os.execvp(command[0], [*command, sys.executable, "-m", "benchmarks.thirty_nights", *words])
        print("this system lets nobody mount a small disk: nights with a full or read-only one are left out")
        small_disk = False
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "nights" if arguments.folder is None else arguments.folder
        failed = nights(folder, arguments.grpc, small_disk, arguments.nights, arguments.seed)
        if small_disk:
            subprocess.run(["umount", "--lazy", str(folder / "serving")], check=False)
    print("\n".join(failed) if failed else "report, directory and server agreed after every night")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
