"""How the folders of a data set lie: which are domains, which are splits, and whether all are in one folder more."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from data_prep.sources.split_names import Split, split_joined, split_of
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import IMAGE_SUFFIXES

ValSplit = Literal["val", "test", "hash"]

_OUTSIDE = "images outside the folders of domains"
_WITHOUT_DOMAINS = "{} is called like a split but holds images; it should hold a folder for each domain"
_SHOWN = 5  # names in a sentence

# By the first folder above images and the second the third, "" where there is none.
_Tree = dict[str, dict[str, set[str]]]


@dataclass(frozen=True)
class Layout:
    """Which folders above an image tell its domain and its split.

    Args:
        domains: names of the domains, sorted, in Unicode's form C: macOS's archives have another than most keyboards.
        root: the folder that all is in, with a slash at its end; "" if there is none.
        domain_at: which folder below it is the domain, from 0.
        split_at: which folder is the split; None where a hash splits the images.
        joined: whether one folder is both, as trainA is.
        subsets: by the name of a split's folder "train", "val", or "" if a hash is to decide; None if it is left out.
        notes: how the folders are understood, a sentence each.
    """

    domains: tuple[str, ...]
    root: str = ""
    domain_at: int = 0
    split_at: int | None = None
    joined: bool = False
    subsets: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def place(self, name: str) -> tuple[str, str] | str:
        """Tells domain and subset of an image from its relative path; or what it is if it is left out."""
        folders = name.split("/")[:-1]
        if self.root:
            if not name.startswith(self.root):
                return _OUTSIDE
            folders = folders[self.root.count("/") :]
        subset = ""
        if self.split_at is not None:
            if len(folders) <= self.split_at:
                return _OUTSIDE
            if folders[self.split_at] not in self.subsets:
                return f"images in the folder {folders[self.split_at]!r}, which is no split"
            taken = self.subsets[folders[self.split_at]]
            if taken is None:
                return f"images of the split {folders[self.split_at]!r}"
            subset = taken
        if len(folders) <= self.domain_at:
            return _OUTSIDE
        domain = folders[self.domain_at]
        return _normalize(split_joined(domain)[1] if self.joined else domain), subset


class _Anywhere(Layout):
    def place(self, name: str) -> tuple[str, str] | str:
        return "", ""


# Of images whose domains do not matter: they lie at any depth, in folders that mean nothing.
ANYWHERE = _Anywhere(domains=("",))


def is_image(name: str) -> bool:
    """Returns whether a file's name is that of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def find_layout(list_names: Callable[[str], Iterable[str]], place: str, val_split: ValSplit | None = None) -> Layout:
    """Finds out how domains and splits lie.

    Args:
        list_names: gives the paths of all files below a folder, relative to it; the folder is "" or ends in a slash.
        place: what is listed, for messages.
        val_split: which split is the validation set, or whether a hash chooses it out of training; by default `val` if
            there is one, else a hash.

    Returns:
        The layout; without domains if there are no images in folders.

    Raises:
        UserError: folders look like splits but do not fit, or the one that is asked for is not there.
    """
    root, first = "", None
    while True:
        tree = _look(list_names(root))
        tree.pop("", None)
        found = replace(_understand(tree, files.join(place, root).rstrip("/"), val_split), root=root)
        only = next(iter(tree), "")
        if found.split_at is not None or len(tree) != 1 or "" in tree[only]:
            break
        if all(split_of(folder) and "" in below for folder, below in tree[only].items()):
            break  # One domain with splits.
        first = first or found
        root = f"{root}{only}/"
    if first and len(found.domains) < 2:
        found = first
    if val_split in ("val", "test") and found.split_at is None:
        raise UserError(f"--val_split is {val_split}, and --input {place} has no folders train and {val_split}")
    if found.root:
        found = replace(found, notes=(f"all domains are in the folder {found.root!r}", *found.notes))
    return found


def _look(names: Iterable[str]) -> _Tree:
    """The first folders above each image: few, however many images there are."""
    tree: _Tree = {}
    for name in names:
        if is_image(name):
            first, second, third, *_ = [*name.split("/")[:-1], "", "", ""]
            tree.setdefault(first, {}).setdefault(second, set()).add(third)
    return tree


def _understand(tree: _Tree, place: str, val_split: ValSplit | None) -> Layout:
    return (
        _joined(tree, place, val_split)
        or _splits_of_domains(tree, place, val_split)
        or _domains_of_splits(tree, place, val_split)
        or Layout(_sorted(tree), notes=tuple(_same_folders_in_all([below.keys() for below in tree.values()])))
    )


def _same_folders_in_all(inside: Sequence[Set[str]]) -> Iterator[str]:
    """Says that all domains have the same folders in them, which may hold masks beside images."""
    shared = set[str].intersection(*map(set, inside)) - {""} if len(inside) > 1 else set()
    if len(shared) > 1:
        yield f"every domain has the folders {_quoted(sorted(shared))}, whose images are all taken"


def _splits_of_domains(tree: _Tree, place: str, val_split: ValSplit | None) -> Layout | None:
    """`train/cat/`, `val/cat/` ...; or `train/train/cat/` ..., as some archives are unpacked."""
    named = _named(tree)
    inner = {folder: tree[folder].keys() - {""} for folder in named}
    if not any(split == "train" and inner[folder] for folder, split in named.items()):
        if not named or (named.keys() != tree.keys() and all("" in tree[folder] for folder in named)):
            return None  # Domains that happen to be called like splits.
        if train := next((folder for folder in named if named[folder] == "train"), None):
            hint = ", or a table that lists the images can be the input"
            raise UserError(_WITHOUT_DOMAINS.format(f"{place}/{train}") + hint)
        raise UserError(
            f"--input {place} has a folder {next(iter(named))} but no images in one called train; if it is no split, "
            "rename it; to make domains of the folders in it, name it as the input"
        )
    for split in set(named.values()) - {"test"}:
        folders = [folder for folder in named if named[folder] == split]
        if len(folders) > 1:
            raise UserError(f"{_quoted(folders)} in {place} would both be the split {split}; merge or rename one")
        if folders and not inner[folders[0]] and (split != "val" or val_split in (None, "val")):
            hint = "; --val_split hash leaves it out" if split == "val" else ""
            raise UserError(_WITHOUT_DOMAINS.format(f"{place}/{folders[0]}") + hint)
    doubled = all(
        len(inner[folder]) == 1 and split_of(next(iter(inner[folder]))) == split
        for folder, split in named.items()
        if inner[folder]
    )
    domains: dict[Split, set[str]] = {}
    for folder, split in named.items():
        names = tree[folder][next(iter(inner[folder]))] if doubled and inner[folder] else inner[folder]
        domains.setdefault(split, set()).update(map(_normalize, names - {""}))
    chosen = _choose(named, domains, place, val_split, Layout((), domain_at=2 if doubled else 1, split_at=0))
    inside = [below for folder in named if not doubled for name, below in tree[folder].items() if name]
    return replace(chosen, notes=(*chosen.notes, *_same_folders_in_all(inside)))


def _domains_of_splits(tree: _Tree, place: str, val_split: ValSplit | None) -> Layout | None:
    """`cat/train/`, `cat/val/` ..."""
    splits = {top: {folder: split_of(folder) for folder in sorted(tree[top]) if folder} for top in sorted(tree)}
    clear = [top for top, inner in splits.items() if "train" in inner.values() and {"val", "test"} & {*inner.values()}]
    if not clear or len(tree) < 2:
        return None
    for top, inner in splits.items():
        if "train" not in inner.values() or None in inner.values():
            raise UserError(
                f"{place}/{clear[0]} has folders {_quoted(splits[clear[0]])} that look like splits, and {place}/{top} "
                f"has {_quoted(inner) or 'none'}; every domain should have a folder train"
            )
        for name in ("train", "val"):
            folders = [folder for folder in inner if inner[folder] == name]
            if len(folders) > 1:
                raise UserError(f"{_quoted(folders)} in {place}/{top} would both be the split {name}; merge them")
    if all(len(set[str].intersection(*tree[top].values()) - {""}) > 1 for top in splits):
        raise UserError(
            f"{_quoted(splits)} in {place} each have splits with folders of the same names, as data sets of their own "
            "have; name one of them as the input"
        )
    named, domains = dict[str, Split](), dict[Split, set[str]]()
    for top, inner in splits.items():
        for folder, split in inner.items():
            assert split is not None  # looked at above
            named[folder] = split
            domains.setdefault(split, set()).add(_normalize(top))
    return _choose(named, domains, place, val_split, Layout((), domain_at=0, split_at=1))


def _joined(tree: _Tree, place: str, val_split: ValSplit | None) -> Layout | None:
    """`trainA/`, `trainB/`, `testA/`, `testB/`; or `cat_train/` ..."""
    named, domains = dict[str, Split](), dict[Split, set[str]]()
    for folder in tree:
        split, domain = split_joined(folder)
        if split is None:
            return None
        named[folder] = split
        domains.setdefault(split, set()).add(_normalize(domain))
    train, *others = domains.pop("train", set()), *domains.values()
    if len(train) < 2 or not any(train & other for other in others):
        return None
    return _choose(named, {"train": train, **domains}, place, val_split, Layout((), split_at=0, joined=True))


def _named(tree: _Tree) -> dict[str, Split]:
    """Folders that are called like splits: by the usual names, or by these with the same or a number beside each."""
    named = {folder: split for folder in sorted(tree) if (split := split_of(folder))}
    joined = {folder: split_joined(folder) for folder in sorted(tree)}
    splits, others = [split for split, _ in joined.values()], {other for _, other in joined.values()}
    alike = len(others) == 1 or all(other.isdigit() for other in others)
    if not named and alike and None not in splits and "train" in splits and len({*splits}) == len(splits) > 1:
        named = {folder: split for folder, (split, _) in joined.items() if split}
    return named


def _choose(
    named: Mapping[str, Split],
    domains: Mapping[Split, Set[str]],
    place: str,
    val_split: ValSplit | None,
    layout: Layout,
) -> Layout:
    """Decides which splits are taken for what.

    Args:
        named: the splits by the names of their folders.
        domains: names of the domains in each split; without an entry or empty where it has none.
        place: where it all is, for messages.
        val_split: as of `find_layout`.
        layout: what is known already.

    Returns:
        The layout with domains, subsets and notes.
    """
    called = {split: _quoted(sorted(name for name in named if named[name] == split)) for split in named.values()}
    if val_split in ("val", "test") and not domains.get(val_split):
        raise UserError(f"--val_split is {val_split}, and no folder of domains in {place} is of such a split")
    if val_split is None and domains.get("test") and not domains.get("val"):
        raise UserError(
            f"{place} has images for training ({called['train']}) and for testing ({called['test']}), but none for "
            "validation: --val_split test validates on those for testing, and --val_split hash leaves them out and "
            "takes a share of those for training (--val_fraction)"
        )
    val = val_split or ("val" if domains.get("val") else "hash")
    if val != "hash" and (extra := sorted(domains[val] - domains["train"])):
        where, train = (f"{place}/{_first(named, split)}" for split in (val, "train"))
        known = _quoted(sorted(domains["train"]))
        raise UserError(
            f"domain {extra[0]!r} has images in {place} for validation but none for training"
            if layout.joined or layout.split_at
            else f"domain {extra[0]!r} is in {where} but not in {train}, which has {known}; the domains "
            "of training must cover it"
        )
    taken = {"train": "" if val == "hash" else "train", val: "val"}
    left_out = [split for split in called if split not in taken]
    note = f"training images are those in {called['train']}, validation images " + (
        "a share of them" if val == "hash" else f"those in {called[val]}"
    )
    if left_out:
        note += f"; left out: {', '.join(called[split] for split in left_out)}"
        if "test" in left_out and val_split is None and domains.get("test"):
            note += " (--val_split test takes it for validation)"
    return replace(
        layout,
        domains=_sorted(domains["train"]),
        subsets={name: taken.get(split) for name, split in named.items()},
        notes=(note,),
    )


def _first(named: Mapping[str, Split], split: str) -> str:
    return next(name for name in sorted(named) if named[name] == split)


def _normalize(domain: str) -> str:
    return unicodedata.normalize("NFC", domain)


def _sorted(domains: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*map(_normalize, domains)}))


def _quoted(names: Iterable[str]) -> str:
    shown: Sequence[str] = [*map(repr, names)]
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    shown = [*shown[:_SHOWN], *more]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
