"""Whether data can be evaluated on, and go with a run: told before TensorFlow is imported, and before long work."""

from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, check_same_images
from stargan_tf.data import records
from stargan_tf.data.records import DataDirectory
from stargan_tf.evaluation.settings import FEWEST_GENERATED, FEWEST_REAL, ProtocolSettings
from stargan_tf.evaluation.tasks import all_tasks


def check_same(config: Config, data: DataDirectory) -> None:
    """Checks that data have the domains and the images that a run was trained on.

    Args:
        config: of the run.
        data: the data directory.

    Raises:
        UserError: they differ.
    """
    if config.domains != data.domains:
        raise UserError(
            f"the run's domains are {', '.join(config.domains or ())} but the data's are {', '.join(data.domains)}"
        )
    if config.model.size != data.image_size:
        sizes = ["x".join(map(str, size)) for size in (config.model.size, data.image_size)]
        raise UserError(f"the run's images are {sizes[0]} px but the data's are {sizes[1]} px; prepare it at that size")
    check_same_images(config.images.known(), data.image_config, "the run's")


def check_data(data: DataDirectory, settings: ProtocolSettings) -> None:
    """Checks that data can be evaluated on, reading none of it; for before a classifier is trained on it.

    Args:
        data: the data directory.
        settings: what is evaluated.

    Raises:
        UserError: settings are wrong, or a domain has too few images.
    """
    settings.check()
    all_tasks(settings.modes, data.domains)
    for domain in data.domains:
        for subset, kind, least in (("train", "training", FEWEST_REAL), ("val", "validation", 1)):
            count = _count(data, subset, domain)
            if count < least:
                raise UserError(
                    f"domain {domain!r} of {data.path} has {count} {kind} image(s); an evaluation needs at least "
                    f"{least} of every domain"
                )
    sources = min(_count(data, "val", domain) for domain in data.domains)
    fewest = min(sources, settings.sources or sources) * settings.outputs
    if fewest < FEWEST_GENERATED:
        raise UserError(
            f"{fewest} translations in a task are too few to be compared; with more sources or outputs there must be "
            f"at least {FEWEST_GENERATED}"
        )


def _count(data: DataDirectory, subset: str, domain: str) -> int:
    return data.num_examples.get(records.split_name(subset, domain), 0)
