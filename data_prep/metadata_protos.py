"""Schema and statistics in the formats of tensorflow_metadata, which TensorFlow Data Validation and Facets read."""

from collections.abc import Mapping, Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from data_prep.statistics import EDGES, SplitStatistics
from stargan_tf.data.records import ATTRIBUTES, IMAGE, KEY, LABEL

_DESCRIPTIONS = {
    "source_width": "width of the source in pixels",
    "source_height": "height of the source in pixels",
    "source_aspect": "width of the source by its height",
    "source_jpeg_quality": "estimated quality of a JPEG source, 1 to 100",
    "brightness": "mean luma of the stored image, 0 to 255",
    "stored_bytes": "size of the stored image in bytes",
}


def schema(domains: Sequence[str], image_size: tuple[int, int], raw: bool) -> str:
    """Describes the Examples.

    Args:
        domains: names of the domains, in the order of their labels.
        image_size: height and width in pixels.
        raw: whether images are stored as pixels.

    Returns:
        A `tensorflow_metadata` Schema in text format.
    """
    result = schema_pb2.Schema()
    for name in (IMAGE, LABEL, KEY, ATTRIBUTES):
        feature = result.feature.add(name=name, type=schema_pb2.INT if name == LABEL else schema_pb2.BYTES)
        feature.presence.min_fraction = 1
        feature.presence.min_count = 1
        feature.shape.dim.add(size=1)
        if name == LABEL:
            feature.int_domain.min, feature.int_domain.max = 0, len(domains) - 1
            feature.int_domain.is_categorical = True
            feature.annotation.comment.append("index into " + ", ".join(domains))
        elif name == IMAGE:
            height, width = image_size
            if raw:
                feature.annotation.comment.append(f"uint8 pixels [{height}, {width}, 3], row by row")
            else:
                feature.image_domain.SetInParent()
                feature.annotation.comment.append(f"{height} x {width} RGB, JPEG or PNG")
        elif name == ATTRIBUTES:
            feature.annotation.comment.append("a JSON object as text")
    return text_format.MessageToString(result)


def statistics(splits: Mapping[str, SplitStatistics], labels: Mapping[str, tuple[int, str]]) -> bytes:
    """Describes the statistics of every split as a dataset of its own.

    Args:
        splits: statistics by name of the split.
        labels: label and domain by name of the split.

    Returns:
        A serialized DatasetFeatureStatisticsList. Numbers that no Example holds, like the size of a source,
        are custom features, so that a viewer shows their histograms.
    """
    result = statistics_pb2.DatasetFeatureStatisticsList()
    for split, values in splits.items():
        dataset = result.datasets.add(name=split, num_examples=values.num_examples)
        label, domain = labels[split]
        for name in (IMAGE, LABEL, KEY, ATTRIBUTES):
            feature = dataset.features.add()
            feature.path.step.append(name)
            feature.type = (
                statistics_pb2.FeatureNameStatistics.INT
                if name == LABEL
                else statistics_pb2.FeatureNameStatistics.BYTES
            )
            target = feature.num_stats if name == LABEL else feature.bytes_stats
            common = target.common_stats
            common.num_non_missing = common.tot_num_values = values.num_examples
            common.min_num_values = common.max_num_values = 1
            common.avg_num_values = 1.0
            if name == LABEL:
                target.mean = target.min = target.median = target.max = label
                custom = feature.custom_stats.add(name="domain")
                custom.str = domain
            elif name == IMAGE:
                stored = values.numbers["stored_bytes"].summary()
                if stored["count"]:
                    target.avg_num_bytes = stored["mean"]
                    target.min_num_bytes, target.max_num_bytes = stored["least"], stored["most"]
        for name, numbers in values.numbers.items():
            _add_numbers(dataset, name, numbers.summary())
    return result.SerializeToString(deterministic=True)


def _add_numbers(dataset: statistics_pb2.DatasetFeatureStatistics, name: str, summary: Mapping) -> None:
    """Adds the distribution of a number."""
    if not summary["count"]:
        return
    feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    feature.path.step.append(name)
    feature.custom_stats.add(name="meaning", str=_DESCRIPTIONS[name])
    numbers = feature.num_stats
    common = numbers.common_stats
    common.num_non_missing = common.tot_num_values = summary["count"]
    common.num_missing = dataset.num_examples - summary["count"]
    common.min_num_values = common.max_num_values = 1
    common.avg_num_values = 1.0
    numbers.mean, numbers.std_dev = summary["mean"], summary["deviation"]
    numbers.min, numbers.max = summary["least"], summary["most"]
    histogram = numbers.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for low, high, count in zip(EDGES[name], EDGES[name][1:], summary["histogram"], strict=False):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
