"""Flags for Beam, which follow a bare `--`, and what is said for those that were not given."""

from collections.abc import Sequence

# Named in full, because plain "DirectRunner" first tries to download the binary of another runner.
_DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def split_flags(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into the command's own flags and those for Beam."""
    argv = list(argv)
    return (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])


def complete_flags(beam_flags: Sequence[str], processes: int) -> tuple[list[str], bool]:
    """Adds the runner and the processes that were not named.

    Args:
        beam_flags: what was given.
        processes: worker processes on this machine, where the flags do not say.

    Returns:
        Beam's flags, and whether the workers will be threads of this process.
    """
    flags = [
        f"--runner={_DEFAULT_RUNNER}" if flag in ("--runner=DirectRunner", "--runner=direct") else flag
        for flag in beam_flags
    ]
    if any(flag.split("=")[0] == "--runner" for flag in flags) and f"--runner={_DEFAULT_RUNNER}" not in flags:
        return flags, False
    if not any(flag.startswith("--runner") for flag in flags):
        flags.append(f"--runner={_DEFAULT_RUNNER}")
    if any(flag.startswith("--direct_") for flag in flags):
        return flags, not any("multi_processing" in flag for flag in flags)
    if processes > 1:
        flags += [f"--direct_num_workers={processes}", "--direct_running_mode=multi_processing"]
    return flags, processes == 1
