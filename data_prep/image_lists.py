"""The images of a source as files of lines, of which workers take one at a time: no process holds all of them."""

from collections.abc import Callable

from data_prep.outcome import LIST_PREFIX
from data_prep.sources import Source, SourceImage
from stargan_tf.base import files

_LINES_PER_LIST = 500  # A list is what one worker takes at a time.


def list_images(source: Source, work: str, look: Callable[[SourceImage], object]) -> int:
    """Writes the images of a source as lines of JSON into files for workers to read, and prints what it has.

    Args:
        source: where they come from.
        work: the folder for the files.
        look: is called with each image, or file of many.

    Returns:
        Their number, with those that workers will leave out.
    """
    num_images = 0
    lines: list[str] = []
    num_lists = 0

    def flush() -> None:
        nonlocal num_lists
        if lines:
            name = f"{LIST_PREFIX}{num_lists:06d}.jsonl"
            files.write(files.join(work, name), "".join(f"{line}\n" for line in lines).encode())
            num_lists += 1
            lines.clear()

    for num_images, image in enumerate(source.images(), start=1):  # noqa: B007  # the last is the number
        lines.append(image.to_json())
        look(image)
        if len(lines) == _LINES_PER_LIST:
            flush()
    flush()
    kind = "images"
    if hasattr(source, "num_images"):
        num_images, kind = source.num_images, "examples, among them images"  # workers will see which
    print(f"{num_images} {kind}" + (f" of {', '.join(source.domains)}" if any(source.domains) else ""), flush=True)
    for note in source.notes:
        print(note, flush=True)
    for kind, count in sorted(source.ignored.items()):
        print(f"ignored: {count} {kind}", flush=True)
    return num_images
