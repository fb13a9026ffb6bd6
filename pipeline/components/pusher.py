"""Pusher: `python -m pipeline.components.pusher --model DIR --model_blessing DIR --infra_blessing DIR --serving DIR`.

A blessed model becomes the next version in the directory that TF Serving reads. `--rollback N` brings back an earlier
one: its content is published once more, under the next number. TF Serving takes the highest number by default, and in
caches and logs a number must never stand for two models.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from data_prep.output_directory import check_output
from pipeline import artifacts
from pipeline.model_fingerprint import fingerprint
from pipeline.serving_directory import ServingDirectory, check_local
from stargan_tf.base import command_line
from stargan_tf.base.errors import ExitCode, UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.base.writing import whole_directory
from stargan_tf.serving import deployment

PROGRAM = "python -m pipeline.components.pusher"
DESCRIPTION = (
    "Publishes a blessed model as the next version, or with --rollback an earlier version once more. Exit code 0: it "
    "is published (or was already), 3: it is not blessed, 2: a mistake in the flags."
)


@dataclass(frozen=True)
class Settings:
    """How many versions stay.

    Args:
        keep: number of newest versions that stay; versions that serving/models.config lists stay, too.
    """

    keep: PositiveInt = 3


@dataclass(frozen=True, kw_only=True)
class Arguments(Settings):
    """The command line.

    Args:
        serving: directory of the model, on a local or mounted file system; its last part is the model's name, and
            versions become directories in it.
        model: Model artifact, whose Format-Serving/ is published.
        model_blessing: ModelBlessing of the Evaluator.
        infra_blessing: InfraBlessing of the InfraValidator.
        output: directory to write, new or empty: pushed.json; by default nothing is written.
        rollback: number of an earlier version to publish once more, in place of a model.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("serving",)  # refused by a sentence of its own

    serving: str
    model: str | None = None
    model_blessing: str | None = None
    infra_blessing: str | None = None
    output: str | None = None
    rollback: int | None = None


def run(arguments: Arguments) -> int:
    """Publishes a model, or an earlier version once more.

    Returns:
        The exit code: 0 if the model is published, 3 if it is not blessed.

    Raises:
        UserError: a mistake in the arguments, blessings of another model, or an earlier version that is damaged.
    """
    _check(arguments)
    serving = ServingDirectory(Path(arguments.serving))
    if arguments.output is not None:
        check_output(arguments.output)
    if arguments.rollback is None:
        reasons, sizes = _read_blessings(arguments)
        if reasons:
            return _not_pushed(arguments, reasons, ExitCode.REFUSED)
    with serving.locked():
        if arguments.rollback is None:
            new = serving.publish(_serving_model(arguments))
            version, is_new = new or serving.versions()[-1], new is not None
        else:
            version, is_new = serving.publish_again(arguments.rollback)
            sizes = [1]  # Only for files that are missing; those for batching were written with the first version.
        path, record = serving.path / str(version), serving.record(version)
        if arguments.rollback is None and fingerprint(_serving_model(arguments)) in record["withdrawn"]:
            reason = f"this model was rolled back from; version {version} stays, and --rollback brings another back"
            return _not_pushed(arguments, [reason], 0)
        sentences = deployment.write(serving.path, serving.path.name, version, sizes)
        removed = serving.prune(arguments.keep, deployment.listed_versions(serving.path))
    _write_result(arguments, {"pushed": True, "version": version, "path": str(path), "reasons": [], **record})
    known = "" if is_new else ", which was published before"
    print(f"version {version} of {serving.path.name}: {path}{known}")
    for sentence in [*sentences, *(f"version {number} is removed" for number in removed)]:
        print(sentence)
    return 0


def _check(arguments: Arguments) -> None:
    """Finds mistakes in the flags."""
    check_local(arguments.serving, "--serving")
    deployment.check_model_name(Path(arguments.serving).resolve().name)
    given = [name for name in ("model", "model_blessing", "infra_blessing") if getattr(arguments, name) is not None]
    if arguments.rollback is not None and given:
        raise UserError(f"--rollback takes no --{given[0]}: the earlier version is there")
    if arguments.rollback is None and len(given) < 3:
        missing = next(name for name in ("model", "model_blessing", "infra_blessing") if name not in given)
        raise UserError(f"--{missing} is missing; give the model and both blessings, or --rollback a version")


def _serving_model(arguments: Arguments) -> Path:
    """The SavedModel; of arguments that are checked and not a rollback."""
    assert arguments.model is not None
    return Path(arguments.model) / artifacts.SERVING_MODEL


def _read_blessings(arguments: Arguments) -> tuple[list[str], list[int]]:
    """Reads both blessings; returns why the model is not blessed, and the batch sizes of its warm-up requests."""
    model = _serving_model(arguments)
    if not (model / "saved_model.pb").is_file():
        raise UserError(f"--model {arguments.model!r} has no SavedModel in {artifacts.SERVING_MODEL}")
    content = fingerprint(model)
    reasons: list[str] = []
    sizes: list[int] = []
    for flag, stage in (("model_blessing", "Evaluator"), ("infra_blessing", "InfraValidator")):
        blessing = artifacts.read_blessing(getattr(arguments, flag), flag)
        if blessing.get("fingerprint") != content:
            raise UserError(
                f"--{flag} {getattr(arguments, flag)!r} is of another model than --model {arguments.model!r}"
            )
        if not blessing["blessed"]:
            first, *others = blessing["reasons"]
            more = f" (and {len(others)} more reasons)" if others else ""
            reasons.append(f"the {stage} did not bless it: {first}{more}")
        sizes = sorted({request["rows"] for request in blessing.get("requests", ())}) or sizes
    return reasons, sizes


def _not_pushed(arguments: Arguments, reasons: list[str], exit_code: int) -> int:
    _write_result(arguments, {"pushed": False, "version": None, "path": None, "reasons": reasons})
    for reason in reasons:
        print(f"not pushed: {reason}")
    return exit_code


def _write_result(arguments: Arguments, content: dict[str, Any]) -> None:
    if arguments.output is not None:
        with whole_directory(arguments.output) as directory:
            artifacts.write_json(directory / artifacts.PUSHED_FILE, content)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
