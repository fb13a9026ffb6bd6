"""Which labels of a source become domains, and under which names: `--domain NAME=LABEL`, for every source."""

import difflib
import fnmatch
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from data_prep.sources.base import ExampleFormat, Source, SourceImage
from stargan_tf.base.errors import UserError

UNNAMED = "images of labels that no --domain names"
_SHOWN = 40


class ChosenLabels:
    """The images of another source whose labels are chosen, under the names of their domains.

    Attributes:
        num_images: how many images the other source says it has, where only workers find them.
    """

    def __init__(self, source: Source, rules: Sequence[str], place: str):
        """Finds out what each label becomes.

        Args:
            source: the other source; what it calls domains are the labels.
            rules: as `choose_labels`.
            place: where it is, for errors.

        Raises:
            UserError: as `choose_labels`.
        """
        self._source = source
        self._domain_of = choose_labels(rules, source.domains, place)
        if hasattr(source, "chosen"):
            source.chosen = self._domain_of.keys()
        self.domains = tuple(sorted(set(self._domain_of.values())))
        self.ignored: Counter[str] = Counter()
        self.notes = source.notes
        self.example_format: ExampleFormat | None = None
        if found := source.example_format:
            names = tuple(self._domain_of.get(label) if label else None for label in found.names)
            self.example_format = replace(found, names=names)
        if hasattr(source, "num_images"):
            self.num_images = source.num_images
        if hasattr(source, "check_paths"):
            self.check_paths = source.check_paths

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        for image in self._source.images():
            if image.location.packing == "examples":  # whose labels workers will see
                yield image
            elif domain := self._domain_of.get(image.domain):
                yield replace(image, domain=domain)
            else:
                self.ignored[UNNAMED] += 1
        self.ignored.update(self._source.ignored)


def choose_labels(rules: Sequence[str], labels: Sequence[str], place: str) -> Mapping[str, str]:
    """Tells what each label becomes.

    Args:
        rules: `NAME=LABEL`, or `LABEL` alone for a domain that keeps its label's name. LABEL is a label, or else a
            pattern with `*` and `?`. A NAME with several rules gets the images of all their labels.
        labels: of the source.
        place: where the source is, for errors.

    Returns:
        The domain by label, of the labels that are chosen.

    Raises:
        UserError: a rule fits no label, or one label is in two domains.
    """
    domain_of: dict[str, str] = {}
    for rule in rules:
        name, equals, pattern = (part.strip() for part in rule.partition("="))
        if rule in labels or not equals:
            name, pattern = "", rule.strip()
        elif not name or not pattern:
            raise UserError(f"--domain {rule!r} is not of the form NAME=LABEL")
        fitting = [pattern] if pattern in labels else [label for label in labels if fnmatch.fnmatchcase(label, pattern)]
        if not fitting:
            raise UserError(f"--domain {rule!r} fits no label of {place}; {_what_there_is(pattern, labels)}")
        for label in fitting:
            domain = name or label
            if domain_of.setdefault(label, domain) != domain:
                raise UserError(
                    f"--domain puts the label {label!r} into two domains, {domain_of[label]!r} and {domain!r}"
                )
    return domain_of


def tell_alike(domains: Sequence[str]) -> Iterator[str]:
    """Says which domains differ in case only: mostly they are one, and macOS and Windows take their files for the same.

    Args:
        domains: their names.

    Yields:
        A sentence for each group.
    """
    by_case: dict[str, list[str]] = {}
    for domain in domains:
        by_case.setdefault(domain.casefold(), []).append(domain)
    for alike in by_case.values():
        if len(alike) > 1:
            names = " and ".join(map(repr, alike))
            yield f"{names} are domains of their own, though only case tells them apart; --domain NAME=LABEL joins them"


def _what_there_is(pattern: str, labels: Sequence[str]) -> str:
    near = difflib.get_close_matches(pattern, labels, n=3)
    others = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    known = f"it has {', '.join(map(repr, labels[:_SHOWN]))}{others}"
    if set(labels).issuperset(part.strip() for part in pattern.strip("[]").split(",")):
        known += "; give --domain once for each"
    return f"did you mean {' or '.join(map(repr, near))}? {known}" if near and others else known
