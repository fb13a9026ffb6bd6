"""Aligns the faces in all pictures of a folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from stargan_tf.base import command_line, progress
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import same_file
from stargan_tf.base.ranges import ImageSide, PositiveInt, Share
from stargan_tf.data.images import UnreadableImage, evenly_spread
from stargan_tf.faces import geometry as face_geometry
from stargan_tf.faces import overview as face_overview
from stargan_tf.faces.detection import Detector, Face, Rejections, check_extent, find_faces, read_picture
from stargan_tf.faces.geometry import NotAFace
from stargan_tf.faces.mean_landmarks import read_mean_landmarks, write_mean_landmarks
from stargan_tf.inference.inputs import REJECTED_FILE, find_images, result_names
from stargan_tf.runs import run_directory

LANDMARKS_FILE = "landmarks.jsonl"
MEAN_FILE = "mean_landmarks.npz"
OVERVIEW_FILE = "overview.png"


@dataclass(frozen=True)
class AlignmentSettings:
    """What to align, and how.

    Args:
        input: folder of pictures, one face in each; folders in it are searched as well.
        output: directory to write, which must not exist or be empty.
        mean_landmarks: where to align the faces to: a mean_landmarks.npz of this command, or an .npy or .npz file with
            98 points (x, y) in pixels of a 256 px square; by default the mean of the faces of the input, framed as
            those of CelebA-HQ.
        image_size: side of the aligned pictures in pixels.
        min_confidence: pictures below this are rejected; confidence is the mean over the landmarks of the maximum of
            their heatmaps, about 1 for a clear face. The default is a guess: it could not be tried with the
            published weights, so look at the overview and at what is rejected.
        batch_size: pictures that the network sees at once.
        format: of the aligned pictures, png or jpeg.
    """

    input: str
    output: str
    mean_landmarks: str | None = None
    image_size: ImageSide = 256
    min_confidence: Share = 0.3
    batch_size: PositiveInt = 8
    format: Literal["png", "jpeg"] = "png"


def align_folder(settings: AlignmentSettings, load_detector: Callable[[], Detector]) -> None:
    """Aligns all pictures of a folder, and writes what was done beside them.

    Args:
        settings: what to align, and how.
        load_detector: gives the detector of faces, once the settings are found to be right.

    Raises:
        UserError: a mistake in the settings, or no face in any picture.
    """
    command_line.check_ranges(settings)
    output = Path(settings.output)
    if run_directory.is_occupied(output):
        raise UserError(f"--output {settings.output!r} exists and is not empty; choose a new directory")
    paths = find_images(Path(settings.input), "--input")
    names = _output_names(paths, Path(settings.input), settings.format)
    mean = None
    if settings.mean_landmarks is not None:
        mean = read_mean_landmarks(Path(settings.mean_landmarks))
    with command_line.quiet_start():
        detector = load_detector()

    # All faces are found before the first is aligned: their mean may be needed, and landmarks take little memory.
    output.mkdir(parents=True, exist_ok=True)
    rejections = Rejections(output / REJECTED_FILE)
    faces = list(find_faces(paths, detector, settings.min_confidence, settings.batch_size, rejections))
    if not faces:
        raise UserError(
            f"no face was found in any of the {len(paths)} pictures in {settings.input!r} (--input); the reasons are "
            f"in {output / REJECTED_FILE}"
        )
    if mean is None:
        try:
            mean = face_geometry.mean_landmarks(np.stack([face.landmarks for face in faces]))
        except NotAFace as error:
            raise UserError(f"the {len(faces)} faces found have no common shape: in their mean {error}") from error
    write_mean_landmarks(output / MEAN_FILE, mean)
    aligned = _align(faces, mean, settings.image_size, output, names, rejections)
    if not aligned:
        raise UserError(f"none of the {len(faces)} faces found can be aligned; see {output / REJECTED_FILE}")
    print(f"aligned {aligned} of {len(paths)} pictures; look at {output / OVERVIEW_FILE}")
    if rejections.count:
        print(f"{rejections.count} pictures were rejected; they are listed in {output / REJECTED_FILE}")


def _align(
    faces: Sequence[Face],
    mean: np.ndarray,
    image_size: int,
    output: Path,
    names: Mapping[Path, Path],
    rejections: Rejections,
) -> int:
    """Writes the aligned pictures, what was done, and the overview; returns how many pictures there are."""
    shown, entries = set(evenly_spread(range(len(faces)), face_overview.MOST_FACES)), []
    aligned = 0
    with (output / LANDMARKS_FILE).open("w") as file:
        for index, face in enumerate(progress.each(faces, "aligning", "pictures")):
            transform = face_geometry.alignment(face.landmarks, mean, image_size)
            try:
                source = read_picture(face.path)
                check_extent(transform, image_size, source.size)
            except (UnreadableImage, NotAFace) as error:
                rejections.add(face.path, str(error), face.confidence)
                continue
            picture, name = face_geometry.warp(source, transform, image_size), names[face.path]
            _save(picture, output / name)
            file.write(json.dumps(_as_record(face, name, transform)) + "\n")
            aligned += 1
            if index in shown:
                landmarks = face_geometry.apply(transform, face.landmarks)
                entries.append(face_overview.entry(str(name), (source, face.landmarks), (picture, landmarks)))
    if entries:
        face_overview.draw(entries).save(output / OVERVIEW_FILE)
    return aligned


def _save(picture: Image.Image, path: Path) -> None:
    """Writes a picture in the format of its name, JPEG with little loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {} if path.suffix == ".png" else {"quality": 95, "subsampling": 0}
    picture.save(path, **options)


def _output_names(paths: Sequence[Path], root: Path, picture_format: str) -> dict[Path, Path]:
    """Returns where each picture goes, relative to the output."""
    suffix = {"png": ".png", "jpeg": ".jpg"}[picture_format]
    names = {path: Path(f"{name}{suffix}") for path, name in result_names(paths, root).items()}
    for path, name in names.items():
        if same_file(str(name)) == OVERVIEW_FILE:
            raise UserError(f"{str(path)!r} and the overview would both be written to {str(name)!r}; rename the first")
    return names


def _as_record(face: Face, name: Path, transform: np.ndarray) -> dict:
    return {
        "path": str(face.path),
        "aligned": name.as_posix(),
        "confidence": face.confidence,
        "landmarks": face.landmarks.round(4).tolist(),
        "transform": transform.tolist(),
    }
