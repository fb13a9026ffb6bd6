"""What to say of an input without images of domains: what is there, and how it would be read."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from data_prep.sources.layout import is_image
from stargan_tf.data.refusals import describe

_UNPACK = "unpack it, with `{}` for instance, and name the folder"
_CONVERT = "a format that is not read; convert the files to PNG, with `magick mogrify -format png` for instance"
_ARRAYS = "a file of arrays; write each image in it as a PNG file, into a folder for each domain"
_DATABASE = (
    "an LMDB database; write each of its values, which are encoded images, into a file of its own, in a folder for "
    "each domain: `lmdb.open(DIR).begin().cursor()` of the package lmdb lists them"
)
_SHARDS = "a file of {}; write its images as files, into a folder for each domain"
_TABLES = (".csv", ".tsv", ".parquet", ".jsonl")

# What people keep images in, by endings.
_ADVICE: Mapping[str, str] = {
    ".7z": "an archive that is not read; " + _UNPACK.format("7z x"),
    ".rar": "an archive that is not read; " + _UNPACK.format("unrar x"),
    **dict.fromkeys((".001", ".z01"), "a part of an archive; " + _UNPACK.format("7z x")),
    **dict.fromkeys(
        (".zst", ".lz4", ".lz", ".z"), "compressed in a way that is not read; " + _UNPACK.format("tar -xaf")
    ),
    **dict.fromkeys((".gz", ".bz2", ".xz"), "a compressed file; decompress it"),
    **dict.fromkeys(
        (".zip", ".tar", ".tgz", ".tbz2", ".txz"),
        "an archive; name it as the input, or unpack each into a folder of its name if they are domains or splits",
    ),
    **dict.fromkeys((".mdb", ".lmdb"), _DATABASE),
    **dict.fromkeys((".h5", ".hdf5", ".mat", ".npy", ".npz", ".pkl", ".pickle", ".pt"), _ARRAYS),
    **dict.fromkeys(
        (".tfrecord", ".tfrecords"), _SHARDS.format("TensorFlow, but there is no dataset_info.json beside it")
    ),
    **dict.fromkeys((".rec", ".idx"), _SHARDS.format("MXNet")),
    ".beton": _SHARDS.format("FFCV"),
    ".mds": _SHARDS.format("MosaicML"),
    ".arrow": "a file of Hugging Face's datasets; `load_from_disk(DIR).to_parquet(FILE)` makes one that is read of it",
    **dict.fromkeys(_TABLES, "a table; name it as the input"),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"), "a video; take its frames with `ffmpeg -i`"),
    **dict.fromkeys((".jxl", ".jp2", ".j2k", ".svg", ".ico", ".tga", ".psd", ".exr", ".hdr", ".dcm"), _CONVERT),
    **dict.fromkeys((".ppm", ".pgm", ".pnm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"), _CONVERT),
}
HEAD_BYTES = 1024  # by which a file is told
_LOOKED_INTO = 3  # files of each ending
_KINDS = 2  # that are told


def advice(name: str) -> str | None:
    """Tells what a file is by its name, and what to do with it; None where that is not known."""
    if name.rpartition("/")[2].startswith("metadata.") and _ending(name) in _TABLES:  # as Hugging Face calls it
        return "a list of images in which no column is called label; name the column of labels by --label_column"
    return _ADVICE.get(_ending(name))


def advice_on_input(place: str) -> str | None:
    """Tells what a file that is the input is by its name, and what to do with it; None where that is not known."""
    if is_image(place):
        return "one image; name the folder that holds a folder of images for each domain"
    if _ending(place) in (".json", ".xlsx", ".xls", ".ods", ".txt"):
        return "no table that is read; write it as .csv, or as .jsonl with one object on each line"
    return advice(place)


def no_domains(place: str, names: Iterable[str], ignored: Mapping[str, int], read_head: Callable[[str], bytes]) -> str:
    """Tells why there are no domains in a place.

    Args:
        place: what was looked into.
        names: relative paths of the files there.
        ignored: counts of what else is there, by a description of it.
        read_head: gives the first bytes of a file.

    Returns:
        A sentence.
    """
    counts, examples = Counter[str](), dict[str, list[str]]()
    for name in names:
        ending = "an image" if is_image(name) else _ending(name)
        counts[ending] += 1
        if len(examples.setdefault(ending, [])) < _LOOKED_INTO:
            examples[ending].append(name)
    told = []
    for ending, count in counts.most_common(_KINDS):
        first = min(examples[ending])
        if ending == "an image":
            what = f"{count} images that are in no folder, {first!r} for instance; put those of each domain into one"
        else:
            kinds = sorted({_look_into(name, read_head) for name in examples[ending]})
            what = f"{count} files " + (f"ending in {ending}" if ending else "without an ending")
            what += f", {first!r} for instance: {advice(first) or ' and '.join(kinds)}"
            if not advice(first) and any("image" in kind for kind in kinds):
                what += "; give images the ending of their kind, or list them in a table (.csv)"
        told.append(what)
    if len(counts) > _KINDS:
        told.append(f"{sum(counts.values()) - sum(n for _, n in counts.most_common(_KINDS))} other files")
    told += [f"{count} {kind}" for kind, count in sorted(ignored.items())]
    if ignored.get("links to folders"):
        told.append("--follow_links follows links")
    there = "; ".join(told) or "nothing"
    return f"no domains in {place}: there should be a folder with images for each, and it holds {there}"


def left_out(ignored: Mapping[str, int]) -> str:
    """Tells what most of what was left out is; "" if nothing was."""
    most = Counter(ignored).most_common(_KINDS)
    hint = "; a table can be the input itself" if any(kind.endswith(_TABLES) for kind, _ in most) else ""
    return f" (left out: {', '.join(f'{count} {kind}' for kind, count in most)}{hint})" if most else ""


def _look_into(name: str, read_head: Callable[[str], bytes]) -> str:
    try:
        return describe(read_head(name))
    except OSError as error:
        return f"unreadable ({error.strerror or error})"


def _ending(name: str) -> str:
    """The ending of a file's name, as `.png`; that of a shard like `x.tfrecord-00000-of-00002` without its number."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower().partition('-')[0]}" if dot and stem else ""
