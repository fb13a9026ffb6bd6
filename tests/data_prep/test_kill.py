"""The job is killed at any moment: the earlier data set stays as it was, and the next run succeeds."""

import subprocess
import sys

import pytest

from data_prep.images_to_tfrecords import main
from tests.data_prep.jobs import noise, read_all, run

pytestmark = pytest.mark.slow

# Starts the job as often as there are moments, and kills it each time. All libraries are there before the clock runs,
# so that the moments are spread over the work itself. The first job is not killed: it tells how long one takes.
_KILLER = """
import os, random, signal, sys, time
import apache_beam, tensorflow_datasets
from data_prep import metadata_protos, steps
from data_prep.images_to_tfrecords import main

def start():
    child = os.fork()
    if child == 0:
        os._exit(main(sys.argv[1:]))
    return child

began = time.monotonic()
assert os.waitpid(start(), 0)[1] == 0
duration = time.monotonic() - began
print("done", flush=True)
sys.stdin.readline()
rng = random.Random(0)
for fraction in (0.1, 0.3, 0.5, 0.7, 0.9):
    job = start()
    time.sleep(duration * (fraction + rng.uniform(-0.1, 0.1)))
    os.kill(job, signal.SIGKILL)
    os.waitpid(job, 0)
    print("killed", flush=True)
    sys.stdin.readline()
"""


def test_the_earlier_data_set_survives_kills(tmp_path):
    source, output = tmp_path / "source", tmp_path / "output"
    for number, domain in enumerate(("cat", "dog")):
        (source / domain).mkdir(parents=True)
        for index in range(8):
            noise(20, 24, 100 * number + index).save(source / domain / f"{index}.png")
    flags = ["--output", str(output), "--input", str(source), "--image_size", "[16,24]", "--overwrite"]
    with subprocess.Popen(
        [sys.executable, "-c", _KILLER, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as killer:
        lines = iter(killer.stdout.readline, "")
        assert any(line == "done\n" for line in lines)
        earlier = read_all(output)
        noise(20, 24, 999).save(source / "cat" / "new.png")  # From now on the job would write something else.
        killer.stdin.write("\n")
        killer.stdin.flush()
        survived = 0
        for _ in range(5):
            assert any(line == "killed\n" for line in lines)
            if read_all(output) == earlier:
                survived += 1
            else:
                assert main(["--output", str(output), "--verify"]) == 0  # It was done already, and completely.
            killer.stdin.write("\n")
            killer.stdin.flush()
    assert survived >= 3 and killer.returncode == 0

    assert run(source, output, "--overwrite", "--verify") == 0
    assert len(read_all(output)) == len(earlier) and read_all(output) != earlier
    assert {child.name for child in tmp_path.iterdir()} == {"source", "output"}
