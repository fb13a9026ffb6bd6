import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.faces.mean_landmarks import read_mean_landmarks, write_mean_landmarks
from tests.rendered_faces import LANDMARKS, aligned_placement, move

MEAN = move(aligned_placement(256), LANDMARKS)


@pytest.mark.parametrize("shape", [(98, 2), (196,), (1, 98, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_that_are_read(shape, dtype, tmp_path):
    np.save(tmp_path / "mean.npy", MEAN.reshape(shape).astype(dtype))
    np.savez(tmp_path / "mean.npz", anything=MEAN.reshape(shape).astype(dtype))
    for name in ("mean.npy", "mean.npz"):
        read = read_mean_landmarks(tmp_path / name)
        assert read.shape == (98, 2) and read.dtype == np.float64
        np.testing.assert_allclose(read, MEAN, rtol=1e-6)


def test_written_and_read(tmp_path):
    write_mean_landmarks(tmp_path / "mean.npz", MEAN)
    np.testing.assert_array_equal(read_mean_landmarks(tmp_path / "mean.npz"), MEAN)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (MEAN[:68], "its array is float64 of shape [68, 2]"),
        (MEAN.T, "its array is float64 of shape [2, 98]"),
        (MEAN.astype(complex), "its array is complex128 of shape [98, 2]"),
        (np.where(MEAN > 200, np.nan, MEAN), "some of its numbers are not finite"),
        (MEAN / 256, "its points span 0.5398"),
        (MEAN * 8, "its points span 1105"),
        ([0, 256] + MEAN * [1, -1], "its eyes and mouth do not lie as those of a face"),
        (np.array([{"a": 1}]), "it is no .npy or .npz file that can be read"),
    ],
)
def test_other_arrays_get_one_sentence(array, reason, tmp_path):
    np.save(tmp_path / "mean.npy", array)
    with pytest.raises(UserError) as error:
        read_mean_landmarks(tmp_path / "mean.npy")
    assert reason in str(error.value)
    assert "98 points (x, y) in pixels of a 256 px square" in str(error.value)


def test_other_files_get_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"there is no file '.*missing.npy' \(--mean_landmarks\)"):
        read_mean_landmarks(tmp_path / "missing.npy")
    np.savez(tmp_path / "two.npz", a=MEAN, b=MEAN)
    with pytest.raises(UserError, match="it holds 2 arrays, not one"):
        read_mean_landmarks(tmp_path / "two.npz")
    np.save(tmp_path / "whole.npy", MEAN)
    for name, data in {
        "empty.npy": b"",
        "text.npy": b"0.5 0.5\n",
        "cut.npy": (tmp_path / "whole.npy").read_bytes()[:500],
        "cut.npz": (tmp_path / "two.npz").read_bytes()[:500],
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=r"it is no \.npy or \.npz file that can be read"):
            read_mean_landmarks(tmp_path / name)
