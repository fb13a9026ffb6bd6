import os

import pytest

from data_prep.processes import Work, count_processes
from data_prep.sources import Location, SourceImage


def image(path, size=0):
    return SourceImage(path, "cat", "", Location(path, "stored" if size else "file", 0, size))


def work(count, size):
    estimate = Work()
    for index in range(count):
        estimate.add(image(f"{index}.jpg", size))
    return estimate.seconds(count)


def test_small_jobs_are_not_worth_a_second_process():
    """2,000 images of 16 pixels took 3.6 s of a processor with one process, 8.2 s with two."""
    assert count_processes(work(2_000, 700)) == 1
    assert count_processes(work(1, 700)) == count_processes(0) == 1


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
@pytest.mark.parametrize(("count", "size"), [(50_000, 700), (200, 3_000_000), (10_000, 17_000)])
def test_large_jobs_are(count, size):
    assert count_processes(work(count, size)) >= 2


def test_the_estimate_follows_the_sizes_of_files(tmp_path):
    estimates = []
    for name, size in (("small", 100), ("large", 1_000_000)):
        estimate = Work()
        for index in range(40):
            (tmp_path / f"{name}_{index}.jpg").write_bytes(bytes(size))
            estimate.add(image(str(tmp_path / f"{name}_{index}.jpg")))
        estimates.append(estimate.seconds(40))
    assert estimates[1] - estimates[0] == pytest.approx(40 * 999_900 * 40e-9)


def test_files_of_many_images_and_files_that_are_gone():
    estimate = Work()
    estimate.add(image("/gone/a.tfrecord"))
    assert estimate.seconds(10_000) == pytest.approx(6)
    assert Work().seconds(0) == 0


def test_few_are_looked_at(monkeypatch):
    from data_prep import processes

    looked = []
    monkeypatch.setattr(processes.files, "size", lambda path: looked.append(path) or 5)
    estimate = Work()
    for index in range(10_000):
        estimate.add(image(f"{index}.jpg"))
    estimate.seconds(10_000)
    numbers = [int(path.removesuffix(".jpg")) for path in looked]
    assert 8 <= len(numbers) <= 16 and max(numbers) > 7_000 and numbers == sorted(numbers)
