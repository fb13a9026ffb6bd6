"""Where the paths of a table lead: into a folder, or into an archive that is read in place."""

import posixpath
from collections import Counter
from collections.abc import Sequence

from data_prep.sources.archives import SUFFIXES, list_members
from data_prep.sources.base import Location
from data_prep.sources.layout import is_image
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import IMAGE_SUFFIXES


class ImagePlace:
    """A folder or an archive with images.

    Attributes:
        num_located: how many images of an archive were located.
    """

    def __init__(self, place: str, work: str):
        """Lists what is in an archive.

        Args:
            place: a folder, or a .zip or .tar file.
            work: a folder for the decompressed copy of a compressed tar.

        Raises:
            UserError: the archive cannot be read.
        """
        self._place = place
        self.num_located = 0
        self._members: dict[str, Location] | None = None
        self._left_out: Counter[str] = Counter()
        if place.lower().endswith(SUFFIXES) and not files.is_folder(place):
            members = list_members(place, work, self._left_out)
            # Many archives hold one folder of images, which the paths of a table leave out.
            folders = {posixpath.dirname(name) for name in members if is_image(name)}
            folder = posixpath.commonpath(folders) if folders else ""
            self._prefix = f"{folder}/" if folder else ""
            self._members = dict(members)

    def locate(self, path: str) -> Location:
        """Tells where an image is; of one that is missing, where it should be."""
        if self._members is not None:
            for name in (path, self._prefix + path):
                if location := self._members.get(name):
                    self.num_located += 1
                    return location
            return Location(f"{self._place}!/{path}")  # which is not there
        is_whole = path.startswith("/") or files.is_remote(path)
        return Location(path if is_whole else files.join(self._place, path))

    def check_some_exist(self, paths: Sequence[str], table: str) -> None:
        """Looks whether a table's paths lead anywhere, before all of them are tried.

        Args:
            paths: of some images.
            table: which names them, for errors.

        Raises:
            UserError: none of them is there.
        """
        if not paths or any(map(self._is_there, paths)):
            return
        path = paths[0]
        endings = [ending for ending in IMAGE_SUFFIXES if self._is_there(path + ending)]
        if "\\" in path and self._is_there(path.replace("\\", "/")):
            hint = "write its paths with / instead of \\"
        elif endings:
            hint = f"{path + endings[0]!r} is there, so write its paths with their ending"
        else:
            hint = "--images names the folder, or the archive, that its paths begin from"
        raise UserError(f"{table} names {path!r}, and neither that nor others it names are in {self._place}; {hint}")

    def _is_there(self, path: str) -> bool:
        location = self.locate(path)
        # Asking a store takes long, and more so where it cannot be reached.
        return location.packing != "file" or files.is_remote(location.path) or files.exists(location.path)

    def left_out(self) -> Counter[str]:
        """Counts what is in an archive and was not located, by a description."""
        ignored = self._left_out.copy()
        if self._members is not None and (others := len(self._members) - self.num_located):
            ignored["files of the archive that no row names"] = others
        return ignored
