"""What a shard leaves behind: its translations, as files or as records, and then the list that says that it is done.

    shards/shard-00012-of-00400.jsonl    one line on the shard, one for each translation, rejected image and file
    images/DOMAIN/STYLE/SOURCE.png       in the form "files"
    data/images-train_DOMAIN.tfrecord-00012-of-00400    in the form "tfrecord", with data/features.json and so on

The list is written last, and names every file with its size: where it is there with all of them, nobody does the shard
again.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from data_prep.images import ImageOptions
from data_prep.shards import Shard, open_shard
from data_prep.sources import ExampleFormat
from data_prep.translation.shards import TranslatedShard
from stargan_tf.base import files
from stargan_tf.base.file_names import file_name, file_names
from stargan_tf.data.records import serialize_example, shard_file, split_name
from stargan_tf.inference import provenance

Form = Literal["files", "tfrecord"]
Format = Literal["png", "jpeg", "webp"]

SHARDS_FOLDER, IMAGES_FOLDER, DATA_FOLDER = "shards", "images", "data"

_ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True)
class JobOptions:
    """What workers need to know.

    Args:
        directory: where everything is written.
        fingerprint: of the input and of all settings that decide what is written.
        num_shards: number of shards.
        image: how sources become the network's input, and which are refused.
        example_format: what Examples are like, for a source that has some.
        domains: of the model, in order.
        styles: domain and name of each style.
        metadata: of the pictures in each style, as XMP; b"" where they have none.
        form: files, or records.
        format: of the pictures.
        quality: of JPEG and WebP.
    """

    directory: str
    fingerprint: str
    num_shards: int
    image: ImageOptions
    example_format: ExampleFormat | None
    domains: tuple[str, ...]
    styles: tuple[tuple[str, str], ...]
    metadata: tuple[bytes, ...]
    form: Form
    format: Format
    quality: int

    def list_of(self, index: int) -> str:
        """Returns the path of the list of a shard."""
        return files.join(self.directory, SHARDS_FOLDER, f"shard-{index:05d}-of-{self.num_shards:05d}.jsonl")


def write(shard: TranslatedShard, options: JobOptions) -> None:
    """Writes the translations of a shard, and then its list."""
    write_pictures = _write_files if options.form == "files" else _write_records
    translations = list(write_pictures(shard, options))
    head = {
        "kind": "shard",
        "fingerprint": options.fingerprint,
        "images": len(shard.read.sources) + len(shard.read.rejected),
    }
    rejected = ({"kind": "rejected", **entry} for entry in shard.read.rejected)
    with files.create(options.list_of(shard.read.index)) as file:
        for entry in (head, *translations, *rejected):
            file.write(f"{json.dumps(entry, ensure_ascii=False)}\n".encode())


def read_list(options: JobOptions, index: int) -> list[dict[str, Any]] | None:
    """Returns the entries of the list of a shard, first that on the shard; None if this job has not done it."""
    try:
        entries = [json.loads(line) for line in files.read(options.list_of(index)).splitlines()]
        return entries if entries[0]["fingerprint"] == options.fingerprint else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def is_finished(options: JobOptions, index: int) -> bool:
    """Tells whether a shard is done, and all of its files are there."""
    entries = read_list(options, index)
    try:
        return entries is not None and all(
            files.size(files.join(options.directory, entry["file"])) == entry["bytes"]
            for entry in entries
            if "bytes" in entry
        )
    except OSError:
        return False


def _write_files(shard: TranslatedShard, options: JobOptions) -> Iterator[dict[str, Any]]:
    """Writes each translation as a file."""
    folders = file_names(options.domains)
    for entry, data in _each(shard, options):
        name = result_name(entry["source"], _ENDINGS[options.format])
        file = files.join(IMAGES_FOLDER, folders[entry["domain"]], entry["style"], name)
        files.write(files.join(options.directory, file), data)
        yield {**entry, "file": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write_records(shard: TranslatedShard, options: JobOptions) -> Iterator[dict[str, Any]]:
    """Writes a file of records for each domain, which may hold none: readers expect all files of a split."""
    folder = files.join(options.directory, DATA_FOLDER)
    with contextlib.ExitStack() as stack:
        domains = dict.fromkeys(domain for domain, _ in options.styles)
        shards = {
            domain: Shard(split_name("train", domain), shard.read.index, options.num_shards) for domain in domains
        }
        writers = {domain: stack.enter_context(open_shard(shards[domain], folder)) for domain in domains}
        for entry, data in sorted(_each(shard, options), key=lambda pair: (pair[0]["style"], pair[0]["source"])):
            domain, style = entry["domain"], entry["style"]
            label, key = options.domains.index(domain), f"{style}/{entry['source']}"
            known = json.dumps({name: entry[name] for name in ("source", "source_domain", "style")}, sort_keys=True)
            writers[domain].write(serialize_example(data, label, key, known))
            yield {**entry, "key": key}
    for writer in writers.values():
        written = writer.written
        file = files.join(DATA_FOLDER, shard_file(*written.shard))
        sizes = {"bytes": written.num_bytes, "sha256": written.sha256, "examples": written.num_examples}
        yield {"kind": "file", "shard": written.shard, "file": file, **sizes}


def _each(shard: TranslatedShard, options: JobOptions) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Gives what is known of each translation, and the picture."""
    styles = list(zip(options.styles, options.metadata, strict=True))
    pairs = ((source, style) for source in shard.read.sources for style in styles)
    for (source, ((domain, style), metadata)), translation in zip(pairs, shard.translations, strict=True):
        known = {"source": source.key, "source_domain": source.domain, "domain": domain, "style": style}
        yield {"kind": "translation", **known}, _encode(translation, metadata, options)


def _encode(image: Image.Image, metadata: bytes, options: JobOptions) -> bytes:
    encoded = io.BytesIO()
    if options.format == "webp":
        image.save(encoded, "WEBP", quality=options.quality, xmp=metadata)
        return encoded.getvalue()
    image.save(encoded, options.format.upper(), **({} if options.format == "png" else {"quality": options.quality}))
    return provenance.marked(encoded.getvalue(), metadata) if metadata else encoded.getvalue()


def result_name(key: str, ending: str) -> str:
    """Says where the translation of a source is written, so that no two sources meet, whichever others there are.

    Args:
        key: of the source, its path in the input.
        ending: of the translation's file.

    Returns:
        A path: the folders of the source, and its whole name with its own ending, since `tom.jpg` may lie beside
        `tom.png`. What no name of a file can have is replaced, and the name then ends in `~` and a hash.
    """
    *folders, name = key.split("/")
    # A folder must not have the name of a translation beside it.
    safe = [file_name(folder) + "_" * folder.endswith(ending) for folder in folders]
    made = "/".join([*safe, file_name(name)])
    if made != key:
        made += "~" + hashlib.sha256(key.encode()).hexdigest()[:8]
    return made + ending
