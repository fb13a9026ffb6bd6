"""The steps of the Beam job. What travels between workers are paths; an image never leaves one step.

lists of images -> assign a shard -> read its images, unless it is done -> RunInference -> write them, and its list
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import RunInference

from data_prep.images import RejectedImage, prepare_image
from data_prep.shards import salted_hash
from data_prep.sources import SourceImage
from data_prep.steps import find_all_lists, find_images, read_bytes
from data_prep.translation.inference import ShardTranslator
from data_prep.translation.results import JobOptions, is_finished, write
from data_prep.translation.shards import ReadShard, TranslatedShard


def build(pipeline: beam.Pipeline, options: JobOptions, translator: ShardTranslator, work: str) -> None:
    """Adds all steps to a pipeline.

    Args:
        pipeline: an empty one.
        options: what to do.
        translator: what draws.
        work: folder with the lists of images, which takes the lines on what was left out.
    """
    (
        find_all_lists(pipeline, work)
        | "Assign shards" >> beam.FlatMap(assign, options)
        | "Group by shard" >> beam.GroupByKey()
        | "Read images" >> beam.FlatMap(read, options)
        | "Translate" >> RunInference(translator)
        | "Write shards" >> beam.Map(finish, options)
    )


def assign(path: str, options: JobOptions) -> Iterator[tuple[int, str]]:
    """Gives shard and line of each image of a list; the shard depends on nothing but the image's key."""
    for image in find_images(path, options.example_format):
        yield salted_hash("translate", 0, image.key) % options.num_shards, image.to_json()


def read(group: tuple[int, Iterable[str]], options: JobOptions) -> Iterator[ReadShard]:
    """Reads the images of a shard as those of training were read; gives nothing if the shard is done."""
    index, lines = group
    if is_finished(options, index):
        Metrics.counter("translations", "shards done before").inc()
        return
    sources, images, rejected = [], [], []
    for source in sorted(map(SourceImage.from_json, lines), key=lambda source: source.key):
        try:
            image = prepare_image(read_bytes(source, options.image, options.example_format), options.image).image
        except RejectedImage as error:
            Metrics.counter("translations", f"rejected: {error.reason}").inc()
            known = {"path": source.key, "domain": source.domain, "reason": error.reason, "error": str(error)}
            rejected.append(known)
        else:
            sources.append(source)
            images.append(image)
    yield ReadShard(index, sources, images, rejected)


def finish(shard: TranslatedShard, options: JobOptions) -> None:
    """Writes a shard."""
    write(shard, options)
    Metrics.counter("translations", "written").inc(len(shard.translations))
