"""Files of mean landmarks: where the landmarks of aligned faces lie, in pixels of a 256 px square."""

import zipfile
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.faces.geometry import MEAN_SIDE, NUM_LANDMARKS, NotAFace, upright_square

_WANTED = f"{NUM_LANDMARKS} points (x, y) in pixels of a {MEAN_SIDE} px square"
# Range of the longer side of the points' bounding box: less than a quarter of the square means another unit.
_SMALLEST, _LARGEST = MEAN_SIDE / 4, 2 * MEAN_SIDE


def write_mean_landmarks(path: Path, landmarks: np.ndarray) -> None:
    """Writes mean landmarks [98, 2] as an .npz file with the one array `landmarks`."""
    np.savez(path, landmarks=landmarks)


def read_mean_landmarks(path: Path) -> np.ndarray:
    """Reads mean landmarks.

    Args:
        path: an .npy file, or an .npz file with one array, of shape [98, 2], [196] or [1, 98, 2].

    Returns:
        [98, 2] float64 in pixels of a 256 px square.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r} (--mean_landmarks)")
    try:
        loaded = np.load(path)  # refuses pickled objects
        if not isinstance(loaded, np.ndarray):
            with loaded:
                if len(loaded.files) != 1:
                    raise _wrong(path, f"it holds {len(loaded.files)} arrays, not one")
                loaded = loaded[loaded.files[0]]
    except UserError:
        raise
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise _wrong(path, "it is no .npy or .npz file that can be read") from error
    shapes = [(NUM_LANDMARKS, 2), (NUM_LANDMARKS * 2,), (1, NUM_LANDMARKS, 2)]
    if loaded.shape not in shapes or loaded.dtype.kind not in "fiu":
        raise _wrong(path, f"its array is {loaded.dtype} of shape {list(loaded.shape)}")
    landmarks = loaded.astype(np.float64).reshape(NUM_LANDMARKS, 2)
    if not np.isfinite(landmarks).all():
        raise _wrong(path, "some of its numbers are not finite")
    extent = np.ptp(landmarks, axis=0).max()
    if not _SMALLEST <= extent <= _LARGEST:
        raise _wrong(path, f"its points span {extent:.4g}")
    try:
        upright_square(landmarks)
    except NotAFace as error:
        raise _wrong(path, f"its {error}") from error
    return landmarks


def _wrong(path: Path, what: str) -> UserError:
    return UserError(f"--mean_landmarks {str(path)!r} must hold {_WANTED}, but {what}")
