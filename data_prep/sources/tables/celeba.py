"""CelebA: a list of images with 40 attributes, as text as it was published or as CSV as on Kaggle."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from data_prep.sources.base import ExampleFormat, SourceImage
from data_prep.sources.tables.image_places import ImagePlace
from data_prep.sources.tables.text_tables import CsvTable, open_text, unreadable_text
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

_ATTRIBUTES = "list_attr_celeba"
PARTITION = "list_eval_partition"  # Beside it: 0 for training, 1 for validation, 2 for testing.
_SPLITS = {"0": "train", "1": "val", "2": "test"}
_IMAGES = ("img_align_celeba", "img_align_celeba.zip")  # Beside it, the first a folder, which may be in one like it.


class CelebaSource:
    """Images of CelebA, whose domains are rules about attributes."""

    example_format: ExampleFormat | None = None

    def __init__(self, table: str, images: str | None, rules: Sequence[str], val_split: str | None, work: str):
        """Reads the list once.

        Args:
            table: `list_attr_celeba.txt` (a count, the names of the attributes, a line for each image) or
                `list_attr_celeba.csv`. With a `list_eval_partition` of the same kind beside it, that tells the splits.
            images: the folder, or the archive, with the images; by default `img_align_celeba` or `img_align_celeba.zip`
                beside the list.
            rules: domains as `NAME=+ATTRIBUTE` or `NAME=-ATTRIBUTE`, with commas between several conditions that must
                all hold. An image for which no rule holds is left out.
            val_split: "val" or "test", which part of the partition is the validation set; "hash" ignores it.
            work: a folder for temporary files.

        Raises:
            UserError: a malformed list or rule, or an image for which two rules hold.
        """
        self._table = table
        self.ignored: Counter[str] = Counter()
        if not rules:
            raise UserError(f'--input {table} needs rules like --domain "male=+Male" --domain "female=-Male"')
        folder = files.folder_of(table)
        self._names = _read_names(table)
        self._rules = _parse_rules(rules, self._names, table)
        self._splits: dict[str, str] = {}
        partition, notes = files.join(folder, PARTITION + table[-4:]), []
        if val_split != "hash" and files.exists(partition):
            self._splits = {name: _SPLITS[split] for name, (split,) in _read_rows(partition, 1, (*_SPLITS,))}
            notes.append(f"{partition} tells training from validation; --val_split hash ignores it")
        elif val_split in ("val", "test"):
            raise UserError(f"--val_split is {val_split}, and there is no {partition}")
        self._subsets = {"train": "train", val_split or "val": "val"} if self._splits else {"": ""}
        place = images or _find_images(folder)
        if images is None and place != folder:
            notes.append(f"the images are in {place}")
        self._place = ImagePlace(place, work)
        self.notes: Sequence[str] = notes
        self.domains = tuple(sorted({image.domain for image in self.images()}))

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        self._place.num_located = 0
        for name, values in _read_rows(self._table, len(self._names), ("1", "-1"), header=2):
            location = self._place.locate(name)
            domain = self._domain(name, dict(zip(self._names, values, strict=True)))
            split = self._splits.get(name, "") if self._splits else ""
            if domain is None:
                self.ignored["rows for which no --domain holds"] += 1
            elif split not in self._subsets:
                self.ignored[f"rows of split {split!r}" if split else "rows of no split"] += 1
            else:
                yield SourceImage(name, domain, self._subsets[split], location)
        self.ignored.update(self._place.left_out())

    def _domain(self, name: str, values: Mapping[str, str]) -> str | None:
        """The domain whose conditions hold."""
        fitting = [
            domain
            for domain, conditions in self._rules.items()
            if all(values[attribute] == value for attribute, value in conditions)
        ]
        if len(fitting) > 1:
            raise UserError(f"{name} belongs to the domains {fitting[0]!r} and {fitting[1]!r}; rules must not overlap")
        return fitting[0] if fitting else None


def is_celeba(table: str) -> bool:
    """Returns whether a file is CelebA's list of attributes, by its name."""
    return _ATTRIBUTES in files.name_of(table)


def find_celeba(folder: str) -> str | None:
    """Finds CelebA's list of attributes in a folder."""
    lists = [files.join(folder, _ATTRIBUTES + ending) for ending in (".csv", ".txt")]
    return next((path for path in lists if files.exists(path)), None)


def _find_images(folder: str) -> str:
    """Where the images lie beside the lists."""
    for name in _IMAGES:
        place = files.join(folder, name)
        if files.exists(place):
            inner = files.join(place, name)  # Programs that unpack make one folder more.
            return inner if files.is_folder(inner) else place
    return folder


def _parse_rules(rules: Sequence[str], names: Sequence[str], table: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Attributes and the values they must have, by domain."""
    domains = {}
    for rule in rules:
        domain, equals, conditions = rule.partition("=")
        parts = [condition.strip() for condition in conditions.split(",")]
        if not domain.strip() or not equals or any(part[:1] not in ("+", "-") for part in parts):
            raise UserError(f"--domain {rule!r} is not of the form NAME=+ATTRIBUTE or NAME=-ATTRIBUTE")
        for part in parts:
            if part[1:] not in names:
                known = ", ".join(name if name.isprintable() else repr(name) for name in names)
                raise UserError(f"--domain {rule!r} names no attribute of {table}; it has {known}")
        if domain.strip() in domains:
            raise UserError(f"--domain {domain.strip()!r} has two rules; write one with commas between its conditions")
        domains[domain.strip()] = [(part[1:], "1" if part[0] == "+" else "-1") for part in parts]
    return domains


def _read_names(table: str) -> Sequence[str]:
    """The names of the attributes."""
    if table.lower().endswith(".csv"):
        names = CsvTable(table).columns[1:]
        if not names:
            raise UserError(f"{table} is no list of attributes: its first line should name the images' and theirs")
        return names
    lines = _lines(table)
    count, names = next(lines, "").strip(), next(lines, "").split()
    if not names or not count.isdigit():
        raise UserError(f"{table} is no list of attributes: it should begin with a count and a line of names")
    return names


def _read_rows(table: str, num_values: int, known: Sequence[str], header: int = 0) -> Iterator[tuple[str, list[str]]]:
    """The names of images, each with its values.

    Args:
        table: the file.
        num_values: how many values a row has.
        known: what a value may be.
        header: how many lines come before the rows if it is no CSV file.
    """
    rows: Iterator[tuple[int, list[str]]]
    if table.lower().endswith(".csv"):
        opened = CsvTable(table)
        rows = ((number, [*row.values()]) for number, row in enumerate(opened.rows(opened.columns), start=2))
    else:
        rows = ((number, line.split()) for number, line in enumerate(_lines(table), start=1) if number > header)
    for number, row in rows:
        if not row:
            continue
        name, *values = row
        if len(values) != num_values or not set(values) <= set(known) or not name.isprintable():
            raise UserError(
                f"line {number} of {table} should have a name and {num_values} values of {' or '.join(known)}"
            )
        yield name, values


def _lines(table: str) -> Iterator[str]:
    with open_text(table) as file:
        try:
            yield from file
        except UnicodeError as error:
            raise unreadable_text(table, error) from error
